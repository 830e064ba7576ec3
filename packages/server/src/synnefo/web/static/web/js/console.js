// The console page: one ticket a connection, fetched anew for each.

import RFB from "/static/novnc/core/rfb.js";

const page = document.getElementById("console");
const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const state = document.getElementById("state");
let rfb = null;

function show(text, kind = "busy") {
  state.textContent = text;
  state.className = `badge ${kind}`;
}

async function connect() {
  rfb?.disconnect();
  const url = page.dataset.socketUrl || await ticket();
  if (!url) return;
  show("Connecting");
  rfb = new RFB(document.getElementById("screen"), url, { wsProtocols: ["binary"] });
  rfb.scaleViewport = true;
  rfb.focusOnClick = true;
  rfb.addEventListener("connect", () => { show("Connected", "good"); rfb.focus(); });
  rfb.addEventListener("disconnect", ({ detail }) => show(detail.clean ? "Disconnected" : "Connection lost", "bad"));
}

async function ticket() {
  show("Requesting");
  const answer = await fetch(page.dataset.ticketUrl, { method: "POST", headers: { "X-CSRFToken": token } });
  if (answer.ok) return (await answer.json()).url;
  show((await answer.text()).trim() || "Refused", "bad");
  return null;
}

document.getElementById("reconnect")?.addEventListener("click", connect);
document.getElementById("ctrl-alt-del").addEventListener("click", () => rfb?.sendCtrlAltDel());
document.getElementById("full-screen").addEventListener("click", () => page.requestFullscreen());
addEventListener("pagehide", () => rfb?.disconnect());
connect();
