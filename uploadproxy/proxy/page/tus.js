// One upload session by tus 1.0. An answer is {status, text, header(name)}; status 0: none came.

import { claimIn } from "./words.js";

const SESSIONS = "/v1beta1/upload/sessions";
const PIECE = 32 * 1024 * 1024; // below the usual limits of an Ingress, 64 MiB

function ask(method, path, headers, { body = null, signal, onSent = () => {} }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    const header = (name) => request.getResponseHeader(name) ?? "";
    const end = () => resolve({ status: request.status, text: request.responseText, header });
    request.open(method, path);
    request.setRequestHeader("Tus-Resumable", "1.0.0");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onSent(event.loaded);
    request.onloadend = end;
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    if (signal?.aborted) end();
    else request.send(body);
  });
}

export async function open(token, file, signal) {
  const headers = { Authorization: `Bearer ${token}`, "Upload-Length": String(file.size) };
  const answer = await ask("POST", SESSIONS, headers, { signal });
  return answer.status === 201 ? { session: new Session(answer.header("Location"), file) } : { answer };
}

class Session {
  constructor(location, file) {
    this.path = new URL(location, window.location.origin).pathname;
    this.file = file;
    this.claim = claimIn(this.path);
  }

  // How far the server has got.
  asked(signal) {
    return ask("HEAD", this.path, {}, { signal });
  }

  // The next piece from offset on. An empty one is asked for by length 0: it tells in words what is wrong with the session.
  sent(offset, signal, onSent, length = PIECE) {
    const headers = { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
    const body = this.file.slice(offset, offset + length);
    return ask("PATCH", this.path, headers, { body, signal, onSent });
  }

  ended() {
    return ask("DELETE", this.path, {}, {});
  }

  // False where the file was changed or removed since it was chosen.
  readable(offset) {
    const read = this.file.slice(offset, offset + 1).arrayBuffer();
    return read.then(() => true, () => false);
  }
}
