// Passkeys: between the browser's keys and the two posts of each exchange.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function forBrowser({ publicKey }) {
  const options = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (options.user) options.user = { ...options.user, id: bytes(options.user.id) };
  for (const list of ["excludeCredentials", "allowCredentials"]) {
    if (options[list]) options[list] = options[list].map((item) => ({ ...item, id: bytes(item.id) }));
  }
  return { publicKey: options };
}

function forServer(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return { id: credential.id, rawId: text(credential.rawId), type: credential.type, response, clientExtensionResults: {},
    authenticatorAttachment: credential.authenticatorAttachment };
}

async function post(address, body) {
  const headers = { ...JSON.parse(document.body.getAttribute("hx-headers")), "Content-Type": "application/json", Accept: "application/json" };
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  const found = await answer.json();
  if (found.sign_in) location.assign(found.sign_in);
  if (!answer.ok) throw new Error(found.error);
  return found;
}

async function run(button) {
  const { begin, finish, kind, next, name } = button.dataset;
  const options = forBrowser(await post(begin, {}));
  const credential = kind === "create" ? await navigator.credentials.create(options) : await navigator.credentials.get(options);
  const chosen = name ? document.getElementById(name).value : undefined;
  location.assign((await post(finish, { response: forServer(credential), next, name: chosen })).next);
}

for (const button of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  button.hidden = false;
  const state = document.getElementById(button.dataset.passkey);
  button.addEventListener("click", async () => {
    state.textContent = "";
    button.disabled = true;
    try {
      await run(button);
    } catch (error) {
      state.textContent = error.name === "NotAllowedError" ? "Nothing was chosen. Try again." : error.message;
      button.disabled = false;
    }
  });
}
