"use strict";
// The script of the page. It calls the same routes as the frontend of an app, and shows
// the responses. It keeps the access token in a variable. It writes text, never markup,
// into the page.
(() => {
  const $ = id => document.getElementById(id);
  const offline = document.body.dataset.offline !== "";
  let token = null;   // the access token; refreshNow sends its hash
  let endsAt = 0;     // when the token expires, in milliseconds
  let life = 3600;    // the lifetime of the token when the page got it, in seconds

  // Messages by problem type.
  const words = {
    "access-denied": "Asana did not give access, so nothing was connected. To connect, try again and press Allow.",
    "login-expired": "This sign-in has expired. It took more than ten minutes, was used before, or belongs to another browser. Please sign in again.",
    "link-expired": "This link was used or has expired. Please get a new one from the backend.",
    "wrong-account": "You signed in with another Asana account than expected, so nothing was connected. Switch accounts at Asana and try again.",
    "misconfigured": "Asana rejects the client ID or the client secret of this service. Check ASANA_CLIENT_ID and ASANA_CLIENT_SECRET.",
    "asana-unavailable": "Asana failed, took too long, or sent an invalid response. Please try again later.",
    "try-again": "The service is busy. Please try again in a moment.",
    "internal": "The service failed. See its log for the reason.",
    "unauthenticated": "You are not signed in. Please sign in.",
    "reconnect-required": "The connection has stopped working. Please connect again.",
    "forbidden-origin": "ALLOWED_ORIGINS does not contain the origin of this page. Add it, and restart asanaauth local.",
    "not-allowed-for-kind": "This connection has a long-lived token, which a browser cannot get.",
  };
  const reasons = {
    "full-permissions-required": "Asana reports this only to tokens with full permissions",
    "not-reported": "Asana did not report it",
    "not-allowed": "Asana does not allow this token to read it",
    "reader-unavailable": "The service account that reads it is unavailable now",
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

  // call sends a request and returns the body of the response. If the response is a
  // problem, call throws its type and a message.
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
      throw { type: "", text: "asanaauth local does not respond. Check that it is still running." };
    }
    if (response.ok) return response.status === 204 ? null : response.json();
    const problem = await response.json().catch(() => ({}));
    const type = String(problem.type ?? "").replace("urn:asanaauth:problem:", "");
    const wait = response.headers.get("Retry-After");
    let text = words[type] ?? problem.error ?? "The service responded with status " + response.status + ". See its log for the reason.";
    if (type === "try-again" && wait) text = "The service is busy. Please try again in " + wait + (wait === "1" ? " second." : " seconds.");
    throw { type, text };
  }

  // show shows the parts for a signed-in or a signed-out browser (data-when).
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
      say(problem.text, "bad");
      return null;
    }
    show(session !== null); // null: no one is signed in
    if (session === null) return null;
    const name = session.name ?? "Asana user " + session.asana_user;
    $("name").textContent = name;
    $("initials").textContent = name.split(/\s+/).map(part => part[0]).slice(0, 2).join("");
    $("email").textContent = session.email ?? "";
    $("gid").textContent = session.asana_user;
    $("connection").textContent = session.connection;
    $("scope").textContent = session.scope;
    $("session-end").textContent = "The session expires on " + new Date(session.expires_at).toLocaleString() + ", or earlier if it is idle.";
    $("status").textContent = session.status;
    $("status").className = "tag " + (session.status === "active" ? "yes" : "no");
    $("broken").hidden = session.status === "active";
    return session;
  }

  async function showLicenses() {
    const list = $("workspaces");
    const none = $("no-license");
    try {
      const memberships = await call("GET", "/membership");
      list.replaceChildren(...memberships.data.map(workspace));
      none.hidden = memberships.data.length > 0;
      none.textContent = "This token cannot access any workspace.";
      $("checked").textContent = memberships.data.length > 0 ? "Read at " + new Date(memberships.data[0].checked_at).toLocaleTimeString() + ". The service caches this for up to five minutes." : "";
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
    title.append(flag("can write", "can only view", "unknown whether it can write", membership.can_write));
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
    for (const reason of unknown) item.append(element("p", "Unknown: " + (reasons[reason] ?? reason) + ".", "small"));
    return item;
  }

  function flag(yes, no, unknown, value) {
    if (value === true) return element("span", yes, "tag yes");
    if (value === false) return element("span", no, "tag no");
    return element("span", unknown, "tag unknown");
  }

  // hold stores the token of a response, or removes the token if the response is null. It
  // returns whether the token is new.
  function hold(response) {
    if (response === null) {
      token = null;
      endsAt = 0;
      $("left").textContent = "–";
      $("left-words").textContent = "no token yet";
      $("left-bar").value = 0;
      return;
    }
    const isNew = response.access_token !== token;
    if (isNew) life = Math.max(response.expires_in, 1);
    token = response.access_token;
    endsAt = Date.now() + response.expires_in * 1000;
    tick();
    return isNew;
  }

  // tick shows the remaining lifetime of the token.
  function tick() {
    if (token === null) return;
    const left = Math.max(0, Math.round((endsAt - Date.now()) / 1000));
    const minutes = Math.floor(left / 60);
    $("left").textContent = minutes + ":" + String(left % 60).padStart(2, "0");
    $("left-words").textContent = left > 0 ? "until the token expires" : "left: the next request gets a new token";
    $("left-bar").max = life;
    $("left-bar").value = left;
  }

  // hashOf returns the SHA-256 hash of a text in hex.
  async function hashOf(text) {
    const sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return Array.from(new Uint8Array(sum), byte => byte.toString(16).padStart(2, "0")).join("");
  }

  async function askToken() {
    const had = token !== null;
    const isNew = hold(await call("POST", "/refresh", { min_ttl: 0 }));
    if (!isNew) return "You got the same token. It has not expired, so the service did not call Asana.";
    return had ? "You got a new token, because the old one expired." : "You got a token.";
  }

  async function refreshNow() {
    if (token === null) return askToken();
    const isNew = hold(await call("POST", "/refresh", { min_ttl: 0, refused: await hashOf(token) }));
    return isNew ? "Asana issued a new token." : "You got the same token. It is less than 30 seconds old, and Asana says that it is active.";
  }

  async function signOut() {
    await call("DELETE", "/session");
    show(false);
    $("sign-in")?.focus();
    return "You are signed out. The connection stays.";
  }

  async function disconnect() {
    const result = await call("POST", "/disconnect");
    show(false);
    $("sign-in")?.focus();
    if (result.status === "revoking") return "Disconnected here. Asana could not be reached to revoke access. If you sign in again, the connection is restored.";
    return result.revoked_at_asana ? "Disconnected, and revoked at Asana." : "Disconnected here, but not revoked at Asana. To revoke access, remove the app in your Asana settings. That also ends other connections of your Asana account.";
  }

  // showSwitches sets the controls to the values of offline Asana's switches.
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

  // setSwitch returns a function that sends the value of a control. It reads the value
  // now, because the response to an earlier change may set the control meanwhile.
  function setSwitch(input) {
    const change = { [input.name]: input.type === "checkbox" ? input.checked : Number(input.value) };
    return async () => {
      try {
        showSwitches(await call("PUT", "/local/asana/switches", change));
      } catch (problem) {
        call("GET", "/local/asana/switches").then(showSwitches, () => {});
        throw problem;
      }
      return "The switch is set. Now get a token, refresh, or sign in again.";
    };
  }

  async function expire() {
    await call("POST", "/local/asana/expire");
    return "Asana now rejects all access tokens issued so far. Press “Refresh now” to report this.";
  }

  // showTrip shows the last steps and the stored rows.
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
    row.append(element("td", new Date(s.at).toLocaleTimeString()), element("td", s.from + " → " + s.to), what, element("td", s.result || "in progress"));
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

  // act runs the action of a control after all earlier actions, and shows its result. The
  // control keeps the focus.
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
      say(problem.text ?? "This page failed. See the browser console, and reload the page.", "bad");
      if (problem.type === "unauthenticated") show(false);
      if (problem.type === "reconnect-required") {
        hold(null);
        await showSession();
      }
    }
  }

  // showOutcome shows the result of a sign-in, which is in the query, and removes the query.
  function showOutcome() {
    const query = new URLSearchParams(location.search);
    const error = query.get("asana_error");
    if (query.has("connect_code")) {
      // Keep the code in the address, so that you can copy it for the curl command.
      say("You returned from Asana with a connect code, which is in the address of this page. The backend must redeem it within ten minutes.", "good");
      return;
    }
    if (query.get("asana") === "connected") say("Connected. You are signed in.", "good");
    else if (error !== null) say(words[error] ?? "The sign-in failed. Please try again.", "bad");
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
    if (session !== null) await showLicenses();
    if (session?.status === "active") await askToken().catch(problem => say(problem.text, "bad"));
    await showTrip();
    document.body.dataset.ready = "true";
  }

  start();
})();
