// Without this everything works; with it the page stays true by itself.
"use strict";

const LOOK_EVERY_MS = 5000;
// Where something is said that is about to change.
const LOOK_SOON_MS = 1000;
const ANYWAY_AFTER_LOOKS = 12;
// What was said of an action may be read for so long; what changes after it may contradict it.
const NOTICE_STANDS_MS = 20000;
// A gateway that is gone may leave a question without an answer for ever.
const ANSWER_WITHIN_MS = 8000;
// Who has touched nothing for so long is not choosing any more.
const IN_USE_FOR_MS = 60000;
const CONTROLS = "select, input, button, summary";
// Longer than what is looked at anyway takes: what has not been found true since is old.
const OLD_AFTER_MS = 90000;

// A second click on the way does nothing.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  for (const button of form.querySelectorAll("button")) {
    button.setAttribute("aria-disabled", "true");
  }
});

// Whoever comes back with the back button gets a form that can be sent.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    location.reload();
  }
});

const live = document.getElementById("live");
const lost = document.getElementById("lost");
let seen = live ? live.dataset.live : "";
let looks = 0;
let noticeIsOld = false;
// When what is shown was last found true, by the browser's clock.
let trueAt = Date.now();
let touchedAt = 0;
for (const touch of ["pointerdown", "keydown", "change"]) {
  document.addEventListener(touch, () => {
    touchedAt = Date.now();
  });
}

function isUsed() {
  const active = document.activeElement;
  const isChoosing = live.contains(active) && active.matches("select, input, button");
  return isChoosing && Date.now() - touchedAt < IN_USE_FOR_MS;
}

// The limit holds for the whole answer.
function ask(address) {
  const limit = new AbortController();
  setTimeout(() => limit.abort(), ANSWER_WITHIN_MS);
  return fetch(address, { credentials: "same-origin", signal: limit.signal });
}

function isOld() {
  return Date.now() - trueAt > OLD_AFTER_MS;
}

function say(text) {
  const language = document.documentElement.lang;
  const at = new Date(trueAt).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  const said = text.replace("{at}", at);
  if (lost.textContent !== said) {
    lost.textContent = said;
  }
}

async function replace() {
  const answer = await ask(location.href);
  if (answer.redirected || answer.status === 401) {
    location.reload();
    return false;
  }
  if (!answer.ok) {
    throw new Error(answer.statusText);
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!fresh || isUsed()) {
    return false;
  }
  const open = [...live.querySelectorAll("details")].map((item) => item.open);
  const focused = document.activeElement;
  const place = [...live.querySelectorAll(CONTROLS)].indexOf(focused);
  live.replaceChildren(...fresh.childNodes);
  live.querySelectorAll("details").forEach((item, index) => {
    item.open = Boolean(open[index]);
  });
  // Another one in its place would do something else when a key is pressed.
  const again = live.querySelectorAll(CONTROLS)[place];
  if (again && again.id === focused.id && again.textContent === focused.textContent) {
    again.focus({ preventScroll: true });
  }
  return true;
}

async function look() {
  if (document.hidden) {
    return;
  }
  if (isOld()) {
    say(lost.dataset.old);
  }
  try {
    const answer = await ask("/api/v1/status");
    if (answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) {
      throw new Error(answer.statusText);
    }
    const status = await answer.json();
    looks += 1;
    const changed = String(status.changes) !== seen;
    let isTrue = !changed;
    if ((changed || looks % ANYWAY_AFTER_LOOKS === 0) && !isUsed() && (await replace())) {
      seen = String(status.changes);
      isTrue = true;
    }
    noticeIsOld ||= changed;
    if (noticeIsOld && performance.now() > NOTICE_STANDS_MS) {
      document.getElementById("notice")?.remove();
    }
    if (isTrue) {
      trueAt = Date.now();
    }
    say(isOld() ? lost.dataset.old : "");
  } catch {
    say(lost.dataset.text);
  }
}

async function lookAgain() {
  await look();
  const wait = live.querySelector("[data-soon]") ? LOOK_SOON_MS : LOOK_EVERY_MS;
  setTimeout(lookAgain, wait);
}

if (live) {
  setTimeout(lookAgain, LOOK_SOON_MS);
  document.addEventListener("visibilitychange", look);
}
