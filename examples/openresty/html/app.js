// The page of the inventory. Everything that comes from elsewhere is shown by
// textContent.

const byId = (id) => document.getElementById(id);
const list = byId("items");

// ---- requests ----

// What went wrong, as the API tells it: code, message, and perhaps fields or an item.
class Refusal extends Error {
  constructor(error) {
    super(error.message);
    Object.assign(this, error);
  }
}

// A write whose answer is lost may have been applied.
function lost(method) {
  return new Refusal(method === "GET"
    ? { code: "unavailable", message: "The application does not answer." }
    : { code: "ambiguous", message: "It may or may not have been saved: no answer came." });
}

async function call(method, path, body) {
  let response, answer;
  try {
    response = await fetch(path, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(20000),
    });
    answer = await response.json();
  } catch {
    throw lost(method);
  }
  if (!response.ok) throw new Refusal(answer.error);
  return answer;
}

// ---- messages ----

let whereToGo = null; // what the keyboard is left on when the bar goes away
let fading; // a message that asks for nothing goes away by itself

function say(text, { bad = false, action, run } = {}) {
  clearTimeout(fading);
  if (!bad && !action) fading = setTimeout(closeBar, 8000);
  byId("bar").hidden = false;
  byId("bar").classList.toggle("bad", bad);
  byId("said").textContent = bad ? "" : text;
  byId("alarm").textContent = bad ? text : "";
  if (!action && document.activeElement === byId("action")) byId("close").focus();
  byId("action").hidden = !action;
  byId("action").textContent = action ?? "";
  byId("action").onclick = run ?? null;
}

function closeBar() {
  const held = byId("bar").contains(document.activeElement);
  byId("bar").hidden = true;
  if (held) (whereToGo?.isConnected ? whereToGo : byId("add").elements.name).focus();
}
byId("close").onclick = closeBar;

// A write: what fails is told, and may be tried again.
async function attempt(button, write) {
  if (button.ariaDisabled) return;
  whereToGo = button;
  button.ariaDisabled = "true";
  const slow = setTimeout(() => say("Saving …"), 600);
  try {
    await write();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const again = error.code === "ambiguous" || error.code === "unavailable";
    say(error.message, {
      bad: true,
      action: again && "Try again",
      run: () => attempt(button, write),
    });
    if (again) reload(); // beside: it may be tried again at once
  } finally {
    clearTimeout(slow);
    button.ariaDisabled = null;
  }
}

// ---- fields of an item ----

function addFields(form) {
  form.prepend(byId("fields").content.cloneNode(true));
}

function fieldsOf(form) {
  const { name, place, count, note } = form.elements;
  return { name: name.value, place: place.value, count: count.valueAsNumber, note: note.value };
}

function mark(form, fields = {}) {
  for (const input of form.querySelectorAll("input")) {
    if (fields[input.name]) input.ariaInvalid = "true"; else input.removeAttribute("aria-invalid");
  }
  form.querySelector("[aria-invalid]")?.focus();
}

function marked(form, error) {
  if (!error.fields) return error;
  mark(form, error.fields);
  return new Refusal({ code: "invalid", message: Object.values(error.fields).join(" ") });
}

const isSame = (item, fields) =>
  item.name === fields.name.trim() && (item.place ?? "") === fields.place.trim() &&
  item.count === fields.count && (item.note ?? "") === fields.note.trim();

// ---- the list ----

function fill(row, item) {
  if (row.item && row.item.version === item.version) return;
  row.item = item;
  for (const part of row.querySelectorAll("[data-of]")) {
    part.textContent = item[part.dataset.of] ?? "";
  }
  row.querySelector(".edit").ariaLabel = `Edit ${item.name}`;
  row.querySelector(".delete").ariaLabel = `Delete ${item.name}`;
}

function newRow(item) {
  const row = byId("item").content.cloneNode(true).firstElementChild;
  row.dataset.id = item.id;
  row.querySelector(".edit").onclick = () => edit(row);
  row.querySelector(".delete").onclick = (event) => remove(row, event.target);
  fill(row, item);
  return row;
}

const isEdited = (row) => row.querySelector(".editor") !== null;
const rowOf = (id) => list.querySelector(`[data-id="${id}"]`);

// Rows stay where they are, and what the keyboard is on with them.
function show(items) {
  const wanted = new Set(items.map((item) => item.id));
  for (const row of [...list.children]) {
    if (!wanted.has(row.dataset.id) && !isEdited(row)) row.remove();
  }
  let next = list.firstElementChild;
  for (const item of items) {
    const row = rowOf(item.id);
    if (row && !isEdited(row)) fill(row, item);
    while (next && !wanted.has(next.dataset.id)) next = next.nextElementSibling;
    if (row && row === next) next = next.nextElementSibling;
    else list.insertBefore(row ?? newRow(item), next);
  }
}

let latest = 0; // an answer that was overtaken is not shown

async function reload() {
  const mine = ++latest;
  const text = byId("search").value.trim();
  try {
    const { items, more } = await call("GET", `/api/items?q=${encodeURIComponent(text)}`);
    if (mine !== latest) return;
    show(items);
    byId("empty").hidden = items.length > 0 && !more;
    byId("empty").textContent = more ? "There are more: search for them."
      : text ? `Nothing is found for “${text}”.` : "There is nothing yet. Add the first item above.";
  } catch (error) {
    if (mine !== latest || list.firstElementChild) return; // what is known stays
    byId("empty").hidden = false;
    byId("empty").textContent = error.message;
  }
}
byId("search").oninput = reload;

// ---- adding: an id for each item that is to be added, for all tries ----

function newRequest() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function addItem(form, request, fields) {
  let item;
  try {
    item = await call("POST", "/api/items", { request, ...fields });
  } catch (error) {
    throw marked(form, error);
  }
  const other = !isSame(item, fields);
  form.reset();
  form.elements.name.focus();
  await reload();
  say(other ? `“${item.name}” had been added before your change: edit it in the list.`
    : `Added “${item.name}”.`);
}

{
  const form = byId("add");
  let request = newRequest();
  addFields(form);
  form.onsubmit = (event) => {
    event.preventDefault();
    mark(form);
    attempt(form.querySelector("button"), async () => {
      await addItem(form, request, fieldsOf(form));
      request = newRequest();
    });
  };
}

// ---- editing, in the item's place ----

function edit(row) {
  const form = byId("edit").content.cloneNode(true).firstElementChild;
  const { elements } = form;
  let { version } = row.item;
  addFields(form);
  for (const [name, value] of Object.entries(row.item)) {
    if (elements[name]) elements[name].value = value ?? "";
  }
  form.ariaLabel = `Edit ${row.item.name}`;
  row.querySelector(".shown").hidden = true;
  row.append(form);
  elements.name.select(); // and the keyboard goes there

  function end() {
    form.remove();
    row.querySelector(".shown").hidden = false;
    row.querySelector(".edit").focus();
  }
  async function save(fields) {
    let item;
    try {
      item = await call("PUT", `/api/items/${row.dataset.id}`, { version, ...fields });
    } catch (error) {
      // an earlier try has been applied after all
      if (error.code === "conflict" && isSame(error.item, fields)) item = error.item;
      else if (error.code === "conflict") throw conflict(error);
      else throw marked(form, error);
    }
    fill(row, item);
    end();
    say(`Saved “${item.name}”.`);
    await reload();
  }
  function conflict({ item }) {
    version = item.version;
    const theirs = form.querySelector(".theirs");
    theirs.hidden = false;
    theirs.textContent = "It is now: "
      + [item.name, item.place, item.count, item.note].filter((part) => part !== null).join(" · ");
    form.querySelector(".buttons").scrollIntoView({ block: "nearest" });
    return new Refusal({
      code: "conflict",
      message: "Somebody else has changed it. Save again to replace that, or cancel.",
    });
  }
  form.onsubmit = (event) => {
    event.preventDefault();
    mark(form);
    attempt(form.querySelector("[type=submit]"), () => save(fieldsOf(form)));
  };
  form.querySelector(".cancel").onclick = () => { end(); reload(); };
  form.onkeydown = (event) => {
    if (event.key === "Escape") form.querySelector(".cancel").click();
  };
}

// ---- deleting, and back ----

function remove(row, button) {
  const { item } = row;
  attempt(button, async () => {
    try {
      await call("DELETE", `/api/items/${item.id}?version=${item.version}`);
    } catch (error) {
      if (error.code === "conflict") fill(row, error.item);
      if (error.code !== "gone") throw error;
    }
    const neighbour = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (neighbour?.querySelector(".delete") ?? byId("add").elements.name).focus();
    const request = newRequest();
    const { name, place, count, note } = item;
    say(`Deleted “${name}”.`, {
      action: "Undo",
      run: (event) => attempt(event.target, async () => {
        const back = await call("POST", "/api/items", { request, name, place, count, note });
        await reload();
        say(`“${name}” is back.`);
        (rowOf(back.id)?.querySelector(".edit") ?? byId("add").elements.name).focus();
      }),
    });
    await reload();
  });
}

// ---- the cluster, each second ----

function nodeState(node) {
  if (!node.answers) return "Does not answer";
  return node.leads ? "Leader" : "Follower";
}

function showNode(place, node) {
  const title = node.id ? `Node ${node.id}` : "Node";
  place.dataset.node = node.address;
  place.className = node.leads ? "leads" : node.answers ? "" : "silent";
  place.querySelector("strong").textContent = title;
  place.querySelector(".state").textContent = nodeState(node);
  place.querySelector(".role").textContent = node.role ?? "";
  place.querySelector(".port").textContent = `port ${node.address.split(":").pop()}`;
}

function headline(nodes, quorum) {
  const leader = nodes.find((node) => node.leads);
  if (!quorum) return "Too few nodes answer: nothing can be saved now.";
  if (!leader) return "The nodes are electing a leader …";
  const silent = nodes.filter((node) => !node.answers).length;
  return `Node ${leader.id} leads. ${nodes.length - silent} of ${nodes.length} answer.`;
}

// A live region speaks when its text changes, and only then.
function tell(text) {
  if (byId("news").textContent !== text) byId("news").textContent = text;
}

const ids = {}; // a node that does not answer cannot say its own

function showCluster({ nodes, quorum }) {
  const places = byId("nodes");
  for (const node of nodes) {
    node.id ??= ids[node.address];
    ids[node.address] = node.id;
  }
  nodes.sort((a, b) => String(a.id).localeCompare(String(b.id), "en", { numeric: true }));
  while (places.children.length > nodes.length) places.lastElementChild.remove();
  while (places.children.length < nodes.length) {
    places.append(byId("node").content.cloneNode(true));
  }
  nodes.forEach((node, i) => showNode(places.children[i], node));
  tell(headline(nodes, quorum));
}

let polls = 0;

async function poll() {
  if (!document.hidden) {
    try {
      showCluster(await call("GET", "/api/cluster"));
      if (polls++ % 5 === 4) await reload(); // what others do
    } catch (error) {
      tell(error.message);
    }
  }
  setTimeout(poll, 1000);
}

poll();
reload();
