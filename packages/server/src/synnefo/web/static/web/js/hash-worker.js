// Hashes a file's blocks off the main thread. In: {file, blockSize}. Out: {index, hash} for each block, then {done: true}.
// A block's hash ignores its trailing zero bytes, as the object store's does.

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

function withoutTrailingZeros(bytes) {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

self.onmessage = async ({ data: { file, blockSize } }) => {
  try {
    for (let index = 0; index * blockSize < file.size; index += 1) {
      const block = new Uint8Array(await file.slice(index * blockSize, (index + 1) * blockSize).arrayBuffer());
      self.postMessage({ index, hash: hex(await crypto.subtle.digest("SHA-256", withoutTrailingZeros(block))) });
    }
    self.postMessage({ done: true });
  } catch (error) {
    self.postMessage({ error: `The file cannot be read: ${error.message}` });
  }
};
