// The site's own task for robots: find a number whose hash, behind the challenge, begins with enough zero bits.

function zeroBits(bytes) {
  let count = 0;
  for (const byte of bytes) {
    if (byte === 0) { count += 8; continue; }
    return count + Math.clz32(byte) - 24;
  }
  return count;
}

async function solve(challenge, bits) {
  const encoder = new TextEncoder();
  for (let number = 0; ; number += 1) {
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(`${challenge}~${number}`));
    if (zeroBits(new Uint8Array(digest)) >= bits) return number;
  }
}

for (const field of document.querySelectorAll("[data-challenge]")) {
  const button = field.form.querySelector("button");
  const state = field.parentElement.querySelector("[data-captcha-state]");
  button.disabled = true;
  solve(field.dataset.challenge, Number(field.dataset.bits)).then((number) => {
    field.value = `${field.dataset.challenge}~${number}`;
    button.disabled = false;
    state.textContent = "You are no robot.";
  });
}
