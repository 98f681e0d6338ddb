/**
 * The demo's host application: knows who is signed in, and embeds the chat for them.
 *
 * The address says who it is (`#acme/ann`), so that two windows can be two people and a test can go straight there.
 * A real host has its own sign-in; what it does for the chat is all in `embedChat`.
 */

const element = (id) => document.getElementById(id);

const directory = await loadDirectory();
if (directory) {
  addEventListener("hashchange", show);
  show();
}

async function loadDirectory() {
  try {
    return await askOwnServer("/people");
  } catch (error) {
    complain(error.message);
    return null;
  }
}

async function askOwnServer(path, body) {
  const request =
    body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        };
  const response = await fetch(path, request);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function show() {
  const chosen = personFromAddress();
  element("place").replaceChildren();
  element("who").hidden = element("product").hidden = !chosen;
  element("people").hidden = Boolean(chosen);
  if (chosen) showProduct(chosen);
  else showPeople();
}

function personFromAddress() {
  const [tenantId, userId] = location.hash.slice(1).split("/");
  const tenant = directory.tenants.find((each) => each.tenant_id === tenantId);
  const person = tenant?.users.find((each) => each.user_id === userId);
  return person && { tenant, person };
}

function showProduct({ tenant, person }) {
  document.title = `${person.name} at ${tenant.name} · BitNexus`;
  element("who-name").textContent = person.name;
  element("who-tenant").textContent = tenant.name;
  element("chat-link").href = location.hash;
  embedChat({ tenant, person });
}

/** Everything a host does to embed the chat: load its script, place its element, answer its question for a token. */
function embedChat({ tenant, person }) {
  const chat = document.createElement("bitnexus-chat");
  chat.setAttribute("base-url", directory.bridge_url);
  chat.setAttribute("tenant", tenant.tenant_id);
  chat.getToken = async () => {
    const answer = await askOwnServer("/token", {
      user_id: person.user_id,
      tenant_id: tenant.tenant_id,
    });
    return answer.token;
  };
  element("place").append(chat);
  import(directory.script_url).catch(() =>
    complain("The chat's script could not be loaded from the bridge."),
  );
}

function showPeople() {
  document.title = "BitNexus";
  element("tenants").replaceChildren(...directory.tenants.map(tenantCard));
}

function tenantCard(tenant) {
  const title = make("h2", "tenant-name", tenant.name);
  const list = make("ul", "persons");
  list.append(...tenant.users.map((person) => personLine(tenant, person)));
  const card = make("section", "card");
  card.append(title, list);
  return card;
}

function personLine(tenant, person) {
  const link = make("a", "person");
  link.href = `#${tenant.tenant_id}/${person.user_id}`;
  link.append(
    make("span", "face", person.name.slice(0, 1)),
    make("span", "person-name", person.name),
    make("span", "role", person.role),
  );
  const line = make("li");
  line.append(link);
  return line;
}

function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function complain(sentence) {
  element("trouble").textContent = sentence;
  element("trouble").hidden = false;
}
