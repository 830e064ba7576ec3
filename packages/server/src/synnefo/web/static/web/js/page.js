// Small behaviours every page shares: theme switch, dismissing notices, two-step buttons, copying, dialogs, failed requests.

const ARMED_MS = 4000;

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-theme-switch], [data-dismiss], [data-confirm], [data-copy], [data-open], [data-close]");
  if (!target) return;
  if ("themeSwitch" in target.dataset) switchTheme();
  else if ("dismiss" in target.dataset) target.closest(".notice").remove();
  else if ("copy" in target.dataset) copy(target);
  else if (target.dataset.open) document.getElementById(target.dataset.open).showModal();
  else if ("close" in target.dataset) target.closest("dialog").close();
  else if (target.dataset.confirm && !target.classList.contains("armed")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    arm(target);
  }
}, true);

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

// The first press arms the button and says what the second one will do; it disarms by itself.
function arm(button) {
  const label = button.textContent;
  button.classList.add("armed");
  button.textContent = button.dataset.confirm;
  setTimeout(() => { button.classList.remove("armed"); button.textContent = label; }, ARMED_MS);
}

async function copy(button) {
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
}

export function notice(text, level = "error") {
  const box = document.createElement("div");
  box.className = `notice ${level}`;
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.className = "icon";
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "✕";
  box.append(words, close);
  document.getElementById("notices").append(box);
  if (level !== "error") setTimeout(() => box.remove(), 6000);
}

document.addEventListener("htmx:responseError", (event) => {
  const { status, responseText } = event.detail.xhr;
  if (status === 401) { location.href = `/astakos/ui/login?next=${encodeURIComponent(location.pathname)}`; return; }
  notice(responseText && responseText.length < 500 && !responseText.includes("<") ? responseText : `The request failed (${status}).`);
});
document.addEventListener("htmx:sendError", () => notice("No answer. The action may have been done: the list shows the truth in a moment."));
// A hidden tab asks for nothing.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.elt.hasAttribute("data-live")) event.preventDefault();
});

// Widths come as data, because the content policy forbids style attributes.
function drawBars(root) {
  for (const bar of root.querySelectorAll("[data-width]")) bar.style.width = `${bar.dataset.width}%`;
}
drawBars(document);
document.addEventListener("htmx:afterSettle", () => drawBars(document));

// On narrow screens the current section may be beyond the edge.
document.querySelector(".topbar nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
