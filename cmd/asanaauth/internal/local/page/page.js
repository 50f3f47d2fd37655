"use strict";
// The page's own script. It asks the same routes that an app's frontend asks, and
// shows what came back. The access token stays in a variable; nothing here is
// ever put into the page as markup.
(() => {
  const $ = id => document.getElementById(id);
  const offline = document.body.dataset.offline !== "";
  let token = null;   // the access token, for the hash that "refused" wants
  let endsAt = 0;     // of the token, in milliseconds
  let life = 3600;    // of the token when it was young, in seconds: what the bar counts from

  // What may come back, in words. The types are those of the README.
  const words = {
    "access-denied": "You said no at Asana. Nothing was connected.",
    "login-expired": "That trip is over: it took more than ten minutes, was used before, or belongs to another browser. Please start again.",
    "link-expired": "That link is over: it was used meanwhile, or is too old. Please ask for a new one.",
    "wrong-account": "That is another Asana account than the one expected. Nothing was kept.",
    "misconfigured": "Asana does not accept this service's client id or secret. Its operator has to mend that.",
    "asana-unavailable": "Asana failed, took too long, or answered something that cannot be believed.",
    "try-again": "The service is busy, or is waiting before it asks Asana again. Please try again in a moment.",
    "internal": "Something went wrong in the service. Its log says what.",
    "unauthenticated": "Nobody is signed in.",
    "reconnect-required": "The connection does not work any more. Please connect again.",
    "forbidden-origin": "This page's origin is not one of ALLOWED_ORIGINS.",
    "not-allowed-for-kind": "A long-lived token does not go to a browser.",
  };
  const reasons = {
    "full-permissions-required": "Asana tells it only to tokens with full permissions",
    "not-reported": "Asana did not say",
    "not-allowed": "Asana does not let this token ask",
  };

  function say(text, mood = "") {
    const said = $("said");
    said.textContent = text;
    said.className = "said " + mood;
    said.hidden = text === "";
  }

  function element(name, text = "", className = "") {
    const e = document.createElement(name);
    if (text !== "") e.textContent = text;
    if (className !== "") e.className = className;
    return e;
  }

  // call asks a route and returns what it answered; a problem is thrown as its
  // type, with the seconds to wait where it has them.
  async function call(method, path, body) {
    const request = { method, headers: {} };
    if (method !== "GET") {
      request.headers["Content-Type"] = "application/json";
      request.body = JSON.stringify(body ?? {});
    }
    let response;
    try {
      response = await fetch(path, request);
    } catch {
      throw { type: "", text: "asanaauth local does not answer. Is it still running?" };
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    const problem = await response.json().catch(() => ({}));
    const type = String(problem.type ?? "").replace("urn:asanaauth:problem:", "");
    const wait = response.headers.get("Retry-After");
    let text = words[type] ?? problem.error ?? "The service answered " + response.status + ".";
    if (type === "try-again" && wait) text = "The service is busy, or is waiting before it asks Asana again. Please try again in " + wait + (wait === "1" ? " second." : " seconds.");
    throw { type, text };
  }

  // Signed in or out: every part says for itself when it is shown.
  function show(signedIn) {
    document.body.classList.toggle("signed-in", signedIn);
    for (const part of document.querySelectorAll("[data-when]")) {
      part.hidden = (part.dataset.when === "in") !== signedIn;
    }
    if (!signedIn) hold(null);
  }

  async function showSession() {
    let session;
    try {
      session = await call("GET", "/session");
    } catch (problem) {
      show(false);
      if (problem.type !== "unauthenticated") say(problem.text, "bad");
      return null;
    }
    show(true);
    const name = session.name ?? "Asana user " + session.asana_user;
    $("name").textContent = name;
    $("initials").textContent = name.split(/\s+/).map(part => part[0]).slice(0, 2).join("");
    $("email").textContent = session.email ?? "";
    $("gid").textContent = session.asana_user;
    $("connection").textContent = session.connection;
    $("scope").textContent = session.scope;
    $("session-end").textContent = "It ends on " + new Date(session.expires_at).toLocaleString() + " at the latest.";
    $("status").textContent = session.status;
    $("status").className = "tag " + (session.status === "active" ? "yes" : "no");
    $("broken").hidden = session.status === "active";
    return session;
  }

  async function showLicences() {
    const list = $("workspaces");
    const none = $("no-licence");
    try {
      const answer = await call("GET", "/membership");
      list.replaceChildren(...answer.data.map(workspace));
      none.hidden = answer.data.length > 0;
      none.textContent = "This token reaches no workspace.";
      $("checked").textContent = answer.data.length > 0 ? "Asked at " + new Date(answer.data[0].checked_at).toLocaleTimeString() + ", and kept for five minutes at most." : "";
    } catch (problem) {
      list.replaceChildren();
      $("checked").textContent = "";
      none.hidden = false;
      none.textContent = problem.text;
    }
  }

  function workspace(membership) {
    const item = element("li");
    const title = element("h3", membership.workspace.name ?? membership.workspace.gid);
    title.append(flag("can write", "may only look", "may write or not: unknown", membership.can_write));
    const flags = element("dl", "", "flags");
    for (const [name, label] of [["is_active", "Active"], ["is_admin", "Admin"], ["is_guest", "Guest"], ["is_view_only", "View only"]]) {
      const row = element("div");
      const value = element("dd");
      value.append(element("span", { true: "yes", false: "no" }[membership[name]] ?? "unknown"));
      row.append(element("dt", label), value);
      flags.append(row);
    }
    item.append(title, flags);
    const unknown = new Set(Object.values(membership.unknown ?? {}));
    for (const reason of unknown) item.append(element("p", "Unknown is not “no”: " + (reasons[reason] ?? reason) + ".", "small"));
    return item;
  }

  function flag(yes, no, unknown, value) {
    if (value === true) return element("span", yes, "tag yes");
    if (value === false) return element("span", no, "tag no");
    return element("span", unknown, "tag unknown");
  }

  // hold keeps a token answer, or forgets the token.
  function hold(answer) {
    if (answer === null) {
      token = null;
      endsAt = 0;
      $("left").textContent = "–";
      $("left-words").textContent = "not asked yet";
      $("left-bar").value = 0;
      return;
    }
    const isNew = answer.access_token !== token;
    if (isNew) life = Math.max(answer.expires_in, 1);
    token = answer.access_token;
    endsAt = Date.now() + answer.expires_in * 1000;
    tick();
    return isNew;
  }

  function tick() {
    if (token === null) return;
    const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
    const minutes = Math.floor(left / 60);
    $("left").textContent = minutes + ":" + String(left % 60).padStart(2, "0");
    $("left-words").textContent = left > 0 ? "left of the token" : "left: the next one who asks gets a new one";
    $("left-bar").max = life;
    $("left-bar").value = left;
  }

  async function hashOf(text) {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(sum), byte => byte.toString(16).padStart(2, "0")).join("");
  }

  async function askToken() {
    const had = token !== null;
    const isNew = hold(await call("POST", "/refresh", { min_ttl: 0 }));
    if (!isNew) return "It is the same token: it still lives, so Asana was not asked.";
    return had ? "A new token: the old one was at its end." : "Here is a token.";
  }

  async function refreshNow() {
    if (token === null) return askToken();
    const isNew = hold(await call("POST", "/refresh", { min_ttl: 0, refused: await hashOf(token) }));
    return isNew ? "Asana gave a new token." : "The token stayed the same.";
  }

  async function signOut() {
    await call("DELETE", "/session");
    show(false);
    $("sign-in").focus();
    return "You are signed out here. The connection stays.";
  }

  async function disconnect() {
    const answer = await call("POST", "/disconnect");
    show(false);
    $("sign-in").focus();
    if (answer.status === "revoking") return "The connection is ended here. Asana could not be asked yet: signing in again takes that back.";
    return answer.revoked_at_asana ? "Disconnected, and revoked at Asana." : "Disconnected. Asana was not asked to revoke anything.";
  }

  // The switches of offline Asana, by way of this service.
  function showSwitches(values) {
    for (const input of $("switches").querySelectorAll("[name]")) {
      const value = values[input.name];
      if (input.type === "checkbox") {
        input.checked = value;
        continue;
      }
      if (![...input.options].some(option => option.value === String(value))) {
        const other = element("option", value + (input.name.endsWith("_ms") ? " ms" : " seconds"));
        other.value = String(value);
        input.append(other);
      }
      input.value = String(value);
    }
    $("switches").disabled = false;
  }

  // setSwitch sends what the control said when it was used: by the time that it is
  // sent, an earlier answer may have changed the control.
  function setSwitch(input) {
    const change = { [input.name]: input.type === "checkbox" ? input.checked : Number(input.value) };
    return async () => {
      try {
        showSwitches(await call("PUT", "/local/asana/switches", change));
      } catch (problem) {
        call("GET", "/local/asana/switches").then(showSwitches, () => {});
        throw problem;
      }
      return "Offline Asana is set. Now ask for a token, refresh, or sign in again.";
    };
  }

  async function expire() {
    await call("POST", "/local/asana/expire");
    return "Asana refuses every access token from now on. “Refresh now” reports it.";
  }

  // What was sent and what is kept.
  async function showTrip() {
    let trip;
    try {
      trip = await call("GET", "/local/trip");
    } catch {
      return;
    }
    if (trip.steps.length > 0) $("steps").replaceChildren(...trip.steps.reverse().map(step));
    if (trip.kept.length > 0) $("kept").replaceChildren(...trip.kept.map(kept));
  }

  function step(s) {
    const row = element("tr");
    const what = element("td");
    what.append(element("code", s.what));
    if (s.with) what.append(element("p", s.with.join(", "), "names"));
    row.append(element("td", new Date(s.at).toLocaleTimeString()), element("td", s.from + " → " + s.to), what, element("td", s.result || "under way"));
    return row;
  }

  function kept(k) {
    const item = element("li");
    const head = element("p");
    head.append(element("b", k.kind), element("span", (k.rows === 1 ? " · 1 row · " : " · " + k.rows + " rows · ") + k.purpose, "small"));
    const names = element("div");
    for (const name of k.sealed) names.append(element("span", name, "attribute sealed"));
    for (const name of k.attributes) names.append(element("span", name, "attribute"));
    item.append(head, names);
    return item;
  }

  // act does something that a person asked for, after what they asked for before,
  // and tells how it went. The control keeps the focus.
  let before = Promise.resolve();
  function act(control, doing) {
    if (control.localName === "button" && control.hasAttribute("aria-busy")) return;
    control.setAttribute("aria-busy", "true");
    before = before.then(() => carryOut(doing)).then(() => {
      control.removeAttribute("aria-busy");
      return showTrip();
    });
  }

  async function carryOut(doing) {
    try {
      say(await doing(), "good");
    } catch (problem) {
      say(problem.text ?? "This page failed.", "bad");
      if (problem.type === "unauthenticated") show(false);
      if (problem.type === "reconnect-required") {
        hold(null);
        await showSession();
      }
    }
  }

  // Coming back from Asana: said in words, and taken out of the address.
  function showOutcome() {
    const query = new URLSearchParams(location.search);
    const error = query.get("asana_error");
    if (query.has("connect_code")) {
      // It stays in the address, where a person finds it who plays the backend.
      say("Asana sent you back with a connect code, which is in this page's address. The backend has ten minutes to redeem it.", "good");
      return;
    }
    if (query.get("asana") === "connected") say("Connected. Asana sent you back, and you are signed in.", "good");
    else if (error !== null) say(words[error] ?? "Signing in did not work.", "bad");
    if (location.search !== "" || location.href.endsWith("#")) history.replaceState(null, "", location.pathname);
  }

  async function start() {
    for (const [id, doing] of [["sign-out", signOut], ["ask", askToken], ["refresh", refreshNow], ["disconnect", disconnect], ["expire", expire]]) {
      $(id)?.addEventListener("click", event => act(event.currentTarget, doing));
    }
    showOutcome();
    setInterval(tick, 1000);
    if (offline) {
      $("switches").addEventListener("change", event => act(event.target, setSwitch(event.target)));
      call("GET", "/local/asana/switches").then(showSwitches, problem => say(problem.text, "bad"));
    }
    const session = await showSession();
    if (session !== null) await showLicences();
    if (session?.status === "active") await askToken().catch(problem => say(problem.text, "bad"));
    await showTrip();
    document.body.dataset.ready = "true";
  }

  start();
})();
