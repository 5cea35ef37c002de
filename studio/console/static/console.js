// Keeps a page true while it is looked at: on a change it fetches the page again and patches it in place.
// One tab holds the stream and tells the others. Whatever has the focus, is open or is being filled in stays as it is.
const busy = (node) => node.matches?.("dialog:popover-open, [data-keep]") ||
  (node === document.activeElement && node.matches("input, textarea, select"));
const key = (node) => node.id || node.dataset?.key || node.nodeName;
const touched = (node) => node.matches("input, textarea, select") && (node.value !== node.defaultValue && node.type !== "checkbox" || node.checked !== node.defaultChecked);

function patch(from, to) {
  if (from.isEqualNode(to) || busy(from)) return;
  for (const { name } of [...from.attributes])
    if (!to.hasAttribute(name) && !(name === "open" && from.nodeName === "DETAILS")) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
  if (touched(from)) return;
  let here = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    let match = here;
    while (match && key(match) !== key(wanted)) match = match.nextSibling;
    if (!match) { from.insertBefore(document.importNode(wanted, true), here); continue; }
    while (here !== match) { const gone = here; here = here.nextSibling; if (!busy(gone)) gone.remove(); }
    here = match.nextSibling;
    if (match.nodeType !== Node.ELEMENT_NODE) match.nodeValue = wanted.nodeValue;
    else patch(match, wanted);
  }
  while (here) { const gone = here; here = here.nextSibling; if (!busy(gone)) gone.remove(); }
}

let waiting;
const soon = () => { waiting ??= setTimeout(refresh, 150); };
async function refresh(address = location.href, options = {}) {
  waiting = undefined;
  const answer = await fetch(address, options).catch(() => null);
  if (answer?.status === 401) return location.reload();
  if (!answer || answer.status >= 500) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  patch(document.body, page.body);
}

const tabs = new BroadcastChannel("changes");
tabs.onmessage = soon;
const follow = () => new Promise((over) => {
  const stream = new EventSource("/console/changes");
  stream.addEventListener("promotion.changed", () => { tabs.postMessage(0); soon(); });
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) setTimeout(over, 5000); };
});
const hold = async () => { for (;;) await follow(); };
if (document.body.dataset.live) navigator.locks ? navigator.locks.request("changes", hold) : hold();

// A form marked as live shows what it would say while it is written.
let writing;
document.addEventListener("input", ({ target: { form } }) => {
  if (!form?.dataset.live) return;
  clearTimeout(writing);
  writing = setTimeout(() => refresh(form.dataset.live, { method: "POST", body: new URLSearchParams(new FormData(form)) }), 300);
});
setInterval(() => document.body.dataset.live && !document.hidden && soon(), 60000);
