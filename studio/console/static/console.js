// Keeps a page true while it is looked at: on a change it fetches the page again and patches it in place.
// One tab holds the stream and tells the others. Whatever has the focus, is open or is being filled in stays as it is.
const busy = (node) => node.matches?.("dialog:popover-open, [data-keep]") ||
  (node === document.activeElement && node.matches("input, textarea, select"));
// A form's own "id" may be a field of that name, its attribute never is.
const key = (node) => node.getAttribute?.("id") || node.dataset?.key || node.nodeName;
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

let waiting, draft;
const soon = (milliseconds = 150) => { waiting ??= setTimeout(refresh, milliseconds); };
async function refresh() {
  waiting = undefined;
  // A form that says what it would do, and has been written in, is asked about as it stands.
  const body = draft && new URLSearchParams(new FormData(draft));
  const answer = await fetch(...(draft ? [draft.dataset.live, { method: "POST", body }] : [location.href])).catch(() => null);
  if (answer?.status === 401) return location.reload();
  if (!answer || answer.status >= 500) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = page.title;
  patch(document.body, page.body);
}

const tabs = new BroadcastChannel("changes");
tabs.onmessage = () => soon();
const follow = () => new Promise((over) => {
  const stream = new EventSource("/console/changes");
  stream.addEventListener("promotion.changed", () => { tabs.postMessage(0); soon(); });
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) setTimeout(over, 5000); };
});
const hold = async () => { for (;;) await follow(); };
if (document.body.dataset.live) navigator.locks ? navigator.locks.request("changes", hold) : hold();

document.addEventListener("input", ({ target: { form } }) => {
  if (!form?.dataset.live) return;
  draft = form;
  clearTimeout(waiting);
  waiting = undefined;
  soon(300);
});
setInterval(() => document.body.dataset.live && !document.hidden && soon(), 60000);
