// Without this everything works; with it the page stays true by itself.
"use strict";

const LOOK_EVERY_MS = 5000;
// Where something is said that is about to change.
const LOOK_SOON_MS = 1000;
const ANYWAY_AFTER_LOOKS = 12;
// What was said of an action may be read for so long; what changes after it may contradict it.
const NOTICE_STANDS_MS = 20000;

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

function isUsed() {
  const active = document.activeElement;
  return live.contains(active) && active.matches("select, input, button");
}

async function replace() {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) {
    location.reload();
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!fresh || isUsed()) {
    return;
  }
  const open = [...live.querySelectorAll("details")].map((item) => item.open);
  live.replaceChildren(...fresh.childNodes);
  live.querySelectorAll("details").forEach((item, index) => {
    item.open = Boolean(open[index]);
  });
}

async function look() {
  if (document.hidden) {
    return;
  }
  try {
    const answer = await fetch("/api/v1/status", { credentials: "same-origin" });
    if (answer.status === 401) {
      location.reload();
      return;
    }
    const status = await answer.json();
    lost.textContent = "";
    looks += 1;
    const changed = String(status.changes) !== seen;
    if ((changed || looks % ANYWAY_AFTER_LOOKS === 0) && !isUsed()) {
      await replace();
      seen = String(status.changes);
    }
    noticeIsOld ||= changed;
    if (noticeIsOld && performance.now() > NOTICE_STANDS_MS) {
      document.getElementById("notice")?.remove();
    }
  } catch {
    lost.textContent = lost.dataset.text;
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
