// The elements of the page, and what the user does with them. All text from elsewhere is set as text, never as HTML.

import { begin, carry, Refused } from "./upload.js";
import { isToken, saidIn, sizeOf, tokenIn } from "./words.js";

const element = Object.fromEntries([...document.querySelectorAll("[id]")].map((each) => [each.id, each]));
let came = ""; // the token of the address: only here, never in the document
let file = null;
let run = null; // {session, controller, isPaused, ended: promise}: of the upload that has begun and has not ended

function takeToken() {
  if (!window.location.hash) return;
  const token = tokenIn(window.location.hash);
  history.replaceState(null, "", window.location.pathname + window.location.search);
  if (token) came = token;
  element.came.hidden = !came;
}

function say(status, problem = "") {
  if (element.status.textContent !== status) element.status.textContent = status;
  if (element.problem.textContent !== problem) element.problem.textContent = problem;
}

function showSent(bytes) {
  element.progress.max = file.size || 1;
  element.progress.value = bytes;
  const percent = Math.floor((100 * bytes) / (file.size || 1));
  element.amount.textContent = `${sizeOf(bytes)} of ${sizeOf(file.size)} sent (${percent} %)`;
}

function showButtons() {
  element.start.disabled = element.file.disabled = element.token.disabled = run !== null;
  element.pause.disabled = !run?.session;
  element.cancel.disabled = run === null;
  element.pause.textContent = run?.isPaused ? "Resume" : "Pause";
}

function choose(files) {
  if (run !== null) return;
  if (files.length !== 1) {
    say("", "Give one file at a time.");
    return;
  }
  file = files[0];
  element.chosen.textContent = `${file.name}, ${sizeOf(file.size)}`;
  showSent(0);
  say("");
}

async function start() {
  if (run !== null) return;
  const token = element.token.value.trim() || came;
  if (!isToken(token)) return say("", "Paste the upload token: the status.token of an UploadTokenRequest.");
  if (file === null) return say("", "Choose a file first.");
  run = { session: null, controller: new AbortController(), isPaused: false };
  showButtons();
  say("Opening the upload.");
  const mine = run;
  try {
    const session = await begin(token, file, mine.controller.signal, sayTrouble);
    if (run !== mine) return void (await session?.ended()); // cancelled while it was opened
    mine.session = session;
  } catch (error) {
    if (run === mine) end("", error);
    return;
  }
  element.token.value = "";
  await goOn();
}

function sayTrouble(words, seconds) {
  say(`The connection was lost, or the server is busy. Next try in ${seconds} s.`, words);
}

function end(status, error) {
  run = null;
  say(status, error instanceof Refused ? error.message : `This page failed: ${error}`);
  showButtons();
}

async function goOn() {
  const mine = run;
  const { session, controller } = mine;
  const sending = `Uploading to ${session.claim}. Keep this page open.`;
  mine.isPaused = false;
  showButtons();
  say(sending);
  const tell = {
    sent: showSent,
    well: () => say(sending),
    again: () => say("What was sent is lost on the server: the upload starts again from the first byte."),
    trouble: sayTrouble,
  };
  try {
    if (!(await carry(session, controller.signal, tell))) return;
    run = null;
    say(`Done: the volume of ${session.claim} is filled.`);
    showButtons();
  } catch (error) {
    await session.ended(); // another upload need not wait for its place
    if (run === mine) end("The upload has ended.", error);
  }
}

async function pauseOrGoOn() {
  if (run.isPaused) {
    run.controller = new AbortController();
    return goOn();
  }
  run.isPaused = true;
  run.controller.abort();
  showButtons();
  say("Paused. The upload can be resumed for an hour.");
}

async function cancel() {
  const { session, controller } = run;
  run = null;
  controller.abort();
  showButtons();
  say("Cancelling.");
  const answer = session ? await session.ended() : { status: 204 };
  if (run !== null) return; // another has begun meanwhile
  if (answer.status === 204) {
    showSent(0);
    return say("Cancelled: nothing of the upload stays in the volume.");
  }
  const words = answer.status ? saidIn(answer.status, answer.text) : "No answer came from the upload proxy.";
  say("Cancelled here. The server still keeps what was sent, for an hour at most.", words);
}

takeToken();
window.addEventListener("hashchange", takeToken);
element.form.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
element.pause.addEventListener("click", pauseOrGoOn);
element.cancel.addEventListener("click", cancel);
element.file.addEventListener("change", () => element.file.files.length && choose(element.file.files));
// Everywhere: a file that is dropped beside the field would be opened instead of the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  element.drop.classList.add("over");
});
document.addEventListener("dragleave", () => element.drop.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  element.drop.classList.remove("over");
  choose(event.dataTransfer.files);
});
window.addEventListener("beforeunload", (event) => {
  if (run !== null) event.preventDefault();
});
