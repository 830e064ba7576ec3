// How good a new password is, told while it is typed. The server decides; this only helps.

const LEVELS = [["Too short", 0], ["Weak: make it longer", 1], ["Good", 2], ["Strong", 3]];

function level(text) {
  if (text.length < 10) return 0;
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^a-zA-Z0-9]/].filter((kind) => kind.test(text)).length;
  const score = new Set(text).size + 2 * kinds;
  return score < 12 ? 1 : score < 18 ? 2 : 3;
}

for (const field of document.querySelectorAll("[data-strength]")) {
  const shown = document.createElement("p");
  shown.className = "small strength";
  shown.setAttribute("aria-live", "polite");
  const meter = Object.assign(document.createElement("meter"), { max: 3, low: 1.5, high: 2.5, optimum: 3, hidden: true });
  meter.setAttribute("aria-hidden", "true");
  const text = document.createElement("span");
  shown.append(meter, text);
  field.parentElement.append(shown);
  field.addEventListener("input", () => {
    const [words, value] = LEVELS[level(field.value)];
    meter.hidden = !field.value;
    meter.value = value;
    text.textContent = field.value ? ` ${words}` : "";
  });
}
