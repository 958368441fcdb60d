// Opens a session and carries it to its end, over cuts of the network and servers that are away for a while.

import { open } from "./tus.js";
import { saidIn } from "./words.js";

// What may be otherwise a moment later; 0: no answer came.
const PASSING = new Set([0, 408, 409, 429, 502, 503, 504]);
const LONGEST_WAIT_S = 15;
const nothing = () => {};

// An answer that is the end of the upload, in the server's words.
export class Refused extends Error {}

// Resolves with a session, with null when signal was aborted before there was one; rejects with Refused.
// A session whose answer was lost is ended by the server when nobody uses it for an hour.
export async function begin(token, file, signal, trouble) {
  for (let failures = 0; ; failures += 1) {
    const { session, answer } = await open(token, file, signal);
    if (session) return session;
    if (signal.aborted) return null;
    if (!PASSING.has(answer.status)) throw new Refused(saidIn(answer.status, answer.text));
    if (!(await isToGoOn(failures, answer, signal, trouble))) return null;
  }
}

// Resolves with true when the volume is filled, with false when signal was aborted; rejects with Refused.
// tell: {sent(bytes), trouble(text, seconds), well(), again(text)}
export async function carry(session, signal, tell) {
  let offset = null; // not known: the server is asked
  let failures = 0;
  for (;;) {
    const sending = offset !== null;
    const answer = sending
      ? await session.sent(offset, signal, (more) => tell.sent(offset + more))
      : await inWords(session, await session.asked(signal), signal);
    if (signal.aborted) return false;
    if (answer.status === 200 || answer.status === 204) {
      if (answer.header("Cdi-Fault") === "UploadStartsAgain") tell.again();
      offset = Number(answer.header("Upload-Offset"));
      tell.sent(offset);
      if (sending) {
        failures = 0;
        tell.well();
        if (offset === session.file.size) return true;
      }
      continue;
    }
    if (!PASSING.has(answer.status)) throw new Refused(saidIn(answer.status, answer.text));
    const isReadable = await session.readable(offset ?? 0);
    if (signal.aborted) return false;
    if (!isReadable) {
      throw new Refused("The file cannot be read any more: it was changed or removed. Choose it again.");
    }
    offset = null;
    if (!(await isToGoOn(failures, answer, signal, tell.trouble))) return false;
    failures += 1;
  }
}

// Tells what went wrong, and waits. False when signal was aborted.
function isToGoOn(failures, answer, signal, trouble) {
  const wait = Math.min(LONGEST_WAIT_S, 2 ** failures);
  trouble(answer.status ? saidIn(answer.status, answer.text) : "", wait);
  return waited(wait, signal);
}

// The answer to HEAD has no words: an empty piece gets the same answer with them.
async function inWords(session, answer, signal) {
  return answer.status === 0 || answer.status === 200 ? answer : session.sent(0, signal, nothing, 0);
}

// Shorter when the network comes back. False when signal was aborted.
function waited(seconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, seconds * 1000);
    window.addEventListener("online", end);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
