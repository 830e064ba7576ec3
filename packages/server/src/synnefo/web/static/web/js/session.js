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
  const known = await session();
  if (!known) timer = setTimeout(ask, 30000);
  else if (!known.authenticated) ended();
  else if (known.uuid !== dialog.dataset.user) replaced(known.email);
  else if (known.seconds_left > WARN_S) plan(known.seconds_left);
  else {
    if (!dialog.open && !dialog.dataset.declined) dialog.showModal();
    timer = setTimeout(ask, Math.min(known.seconds_left + 1, 30) * 1000);
  }
}

// Nothing when the server cannot be asked.
async function session() {
  try {
    const answer = await fetch(dialog.dataset.ask, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function ended() {
  stop("You are signed out. Sign in in another tab, then go on here: what you typed is still there.",
    { href: dialog.dataset.signIn, target: "_blank", rel: "noopener", textContent: "Sign in" });
}

// What is on the page is another user's, and so would be the next action.
function replaced(email) {
  stop(`${email} is signed in now. This page is another user's.`, { href: location.href, textContent: "Reload" });
}

function stop(text, link) {
  if (dialog.open) dialog.close();
  const main = document.getElementById("main");
  if (!main || main.classList.contains("ended")) return;
  main.classList.add("ended");
  notice(text, "error");
  document.getElementById("notices").lastElementChild.append(Object.assign(document.createElement("a"), { className: "button", ...link }));
}

// Who comes back to this tab may have signed in again in another one.
async function back() {
  if (document.hidden) return;
  const known = await session();
  if (!known) return;
  if (!known.authenticated) { ended(); return; }
  if (known.uuid !== dialog.dataset.user) { replaced(known.email); return; }
  document.getElementById("main").classList.remove("ended");
  renew(known.csrf_token);
  plan(known.seconds_left);
}

// A sign-in makes the tokens of older forms worthless; they get the new one.
function renew(token) {
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ ...JSON.parse(document.body.getAttribute("hx-headers")), "X-CSRFToken": token }));
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
  document.addEventListener("visibilitychange", back);
  const others = new BroadcastChannel("synnefo-session");
  others.addEventListener("message", () => setTimeout(ask, 1000)); // the sign-out is under way
  document.querySelector("[data-sign-out]")?.addEventListener("submit", () => others.postMessage("signed out"));
}
