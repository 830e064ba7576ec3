// Warns before the session ends, keeps the page and what was typed when it did, and signs out with the other tabs.

import { notice } from "./page.js";

const WARN_S = 300;
const MAX_TIMER_S = 86400; // longer timers overflow
const dialog = document.getElementById("session-end");
let timer;

function plan(secondsLeft) {
  clearTimeout(timer);
  const wait = Math.min(Math.max(0, secondsLeft - WARN_S), MAX_TIMER_S);
  timer = setTimeout(ask, wait * 1000);
}

// Another tab may have extended or ended the session meanwhile: the server knows.
async function ask() {
  let known;
  try {
    const answer = await fetch(dialog.dataset.ask, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    known = await answer.json();
  } catch {
    timer = setTimeout(ask, 30000);
    return;
  }
  if (!known.authenticated) ended();
  else if (known.seconds_left > WARN_S) plan(known.seconds_left);
  else {
    if (!dialog.open && !dialog.dataset.declined) dialog.showModal();
    timer = setTimeout(ask, Math.min(known.seconds_left + 1, 30) * 1000);
  }
}

function ended() {
  if (dialog.open) dialog.close();
  const main = document.getElementById("main");
  if (!main || main.classList.contains("ended")) return;
  main.classList.add("ended");
  notice("You are signed out. Sign in in another tab, then go on here: what you typed is still there.", "error");
  const link = document.createElement("a");
  link.href = dialog.dataset.signIn;
  link.target = "_blank";
  link.rel = "noopener";
  link.className = "button";
  link.textContent = "Sign in";
  document.getElementById("notices").lastElementChild.append(link);
  document.addEventListener("visibilitychange", back);
}

async function back() {
  if (document.hidden) return;
  const known = await (await fetch(dialog.dataset.ask, { headers: { Accept: "application/json" } })).json();
  if (!known.authenticated) return;
  document.removeEventListener("visibilitychange", back);
  document.getElementById("main").classList.remove("ended");
  plan(known.seconds_left);
}

async function stay() {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), Accept: "application/json" };
  const answer = await fetch(dialog.dataset.extend, { method: "POST", headers });
  if (!answer.ok) { ended(); return; }
  dialog.close();
  plan((await answer.json()).seconds_left);
}

if (dialog) {
  plan(Number(dialog.dataset.secondsLeft));
  dialog.querySelector("[data-stay]").addEventListener("click", stay);
  dialog.querySelector("[data-close]").addEventListener("click", () => { dialog.dataset.declined = "1"; });
  const others = new BroadcastChannel("synnefo-session");
  others.addEventListener("message", () => setTimeout(ask, 1000)); // the sign-out is under way
  document.querySelector("[data-sign-out]")?.addEventListener("submit", () => others.postMessage("signed out"));
}
