// Uploads by drag and drop or by button: hash the blocks, offer the list, send only what the store lacks, offer it again.
// An interrupted upload resumes by itself when the same file is chosen again, because stored blocks are not missing.

import { notice } from "./page.js";

const BLOCKS_AT_ONCE = 5;
const FILES_AT_ONCE = 4;
const ROUNDS_WITHOUT_PROGRESS = 5;
const zone = document.getElementById("upload");
const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
const blockSize = Number(zone?.dataset.blockSize);
const queue = [];
let running = 0;

if (zone) {
  zone.querySelector("input").addEventListener("change", (event) => { add(event.target.files); event.target.value = ""; });
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    add(event.dataTransfer.files);
  });
  addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
}

function add(files) {
  for (const file of files) queue.push({ file, row: newRow(file) });
  next();
}

async function next() {
  while (running < FILES_AT_ONCE && queue.length) {
    const item = queue.shift();
    running += 1;
    upload(item).then(() => finish(item, "Uploaded", "good"), (error) => finish(item, error.message, "bad")).finally(() => {
      running -= 1;
      if (!running && !queue.length) refresh();
      next();
    });
  }
}

function newRow(file) {
  const row = document.getElementById("upload-row").content.firstElementChild.cloneNode(true);
  row.querySelector(".name").textContent = file.name;
  document.getElementById("upload-rows").append(row);
  return row;
}

function show({ row }, text, fraction) {
  row.querySelector(".state").textContent = text;
  row.querySelector("progress").value = fraction;
}

function finish(item, text, kind) {
  show(item, text, 1);
  item.row.querySelector(".state").className = `state badge ${kind}`;
  if (kind === "bad") notice(`${item.file.name}: ${text}`);
}

async function upload(item) {
  const { file } = item;
  const hashes = await hashAll(item);
  const name = zone.dataset.prefix + file.name;
  let missing = await offer(name, file, hashes);
  for (let stuck = 0; missing.length;) {
    await sendBlocks(item, hashes, missing);
    const left = await offer(name, file, hashes);
    stuck = left.length < missing.length ? 0 : stuck + 1;
    if (stuck >= ROUNDS_WITHOUT_PROGRESS) throw new Error("The store keeps asking for the same blocks. Try again later.");
    missing = left;
  }
}

function hashAll(item) {
  return new Promise((resolve, reject) => {
    const hashes = [];
    const total = Math.max(1, Math.ceil(item.file.size / blockSize));
    const worker = new Worker(zone.dataset.worker);
    worker.onerror = () => reject(new Error("Hashing failed in this browser."));
    worker.onmessage = ({ data }) => {
      if (data.error) reject(new Error(data.error));
      else if (data.done) resolve(hashes);
      else {
        hashes[data.index] = data.hash;
        show(item, `Hashing ${data.index + 1}/${total}`, (0.3 * (data.index + 1)) / total);
        return;
      }
      worker.terminate();
    };
    worker.postMessage({ file: item.file, blockSize });
  });
}

// Returns the hashes that the store lacks; none when the object is written.
async function offer(name, file, hashes) {
  const body = JSON.stringify({ name, bytes: file.size, hashes, content_type: file.type || "application/octet-stream" });
  const answer = await post(zone.dataset.hashmapUrl, body, "application/json");
  return (await answer.json()).missing;
}

async function sendBlocks(item, hashes, missing) {
  const waiting = [...missing];
  let sent = 0;
  const send = async () => {
    while (waiting.length) {
      const index = hashes.indexOf(waiting.shift());
      await post(zone.dataset.blockUrl, item.file.slice(index * blockSize, (index + 1) * blockSize), "application/octet-stream");
      sent += 1;
      show(item, `Uploading ${Math.round((100 * sent) / missing.length)} %`, 0.3 + (0.7 * sent) / missing.length);
    }
  };
  await Promise.all(Array.from({ length: BLOCKS_AT_ONCE }, send));
}

async function post(url, body, type) {
  const answer = await fetch(url, { method: "POST", body, headers: { "Content-Type": type, "X-CSRFToken": token } });
  if (answer.status === 401) { location.reload(); }
  if (!answer.ok) throw new Error((await answer.text()).trim() || `The request failed (${answer.status}).`);
  return answer;
}

function refresh() {
  htmx.ajax("GET", location.href, { target: "#listing", select: "#listing", swap: "outerHTML" });
}
