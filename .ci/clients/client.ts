// Calls every operation with the types that openapi-typescript has generated.
import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type World = Record<"service" | "key" | "owner" | "workspace" | "session" | "signing_out" | "leaving" | "connect_code" | "reader" | "ending" | "ending_owner", string>
  & Record<"attempt" | "posted", { cookie: string; code: string; state: string }>;

const world: World = JSON.parse(readFileSync(process.argv[2]!, "utf8"));
const { service, key, owner, workspace } = world;
const client = createClient<paths>({ baseUrl: service, redirect: "manual" });
const browser = (cookie = "") => ({ headers: { Cookie: cookie } });
const frontend = (cookie: string) => ({ ...browser(cookie), params: { header: { Origin: service } } });
const backend = { headers: { Authorization: `Bearer ${key}` } };

function called(operation: string, ok: unknown, got: { response: Response; error?: unknown }): asserts ok {
  if (!ok) {
    console.error(operation, got.response.status, JSON.stringify(got.error));
    process.exit(1);
  }
  console.log(operation);
}
const isConnected = (got: { response: Response }) => got.response.headers.get("Location")?.includes("asana=connected");

const begun = await client.GET("/authorize", { ...browser(), params: { query: { app_state: "s" } } });
called("authorize", begun.response.status === 204, begun); // because fetch says that it does not open a page
const head = await client.HEAD("/authorize", browser());
called("authorizeHead", head.response.status === 204, head);
const callbackHead = await client.HEAD("/callback", browser());
called("callbackHead", callbackHead.response.status === 204, callbackHead);
const { code, state } = world.attempt;
const back = await client.GET("/callback", { ...browser(world.attempt.cookie), params: { query: { code, state } } });
called("callback", isConnected(back), back);
const posted = await client.POST("/callback", {
  headers: { Cookie: world.posted.cookie, "Content-Type": "application/x-www-form-urlencoded" },
  body: { code: world.posted.code, state: world.posted.state },
});
called("callbackPost", isConnected(posted), posted);

const session = await client.GET("/session", frontend(world.session));
called("getSession", session.data?.status === "active", session);
const made = await client.POST("/session/code", frontend(world.session));
called("makeSessionCode", made.data?.session_code, made);
const token = await client.POST("/refresh", { ...frontend(world.session), body: { min_ttl: 600 } });
called("refresh", token.data && token.data.expires_in >= 600, token);
const memberships = await client.GET("/membership", frontend(world.session));
called("membership", memberships.data && "data" in memberships.data && memberships.data.data.length === 2, memberships);
const out = await client.DELETE("/session", { ...frontend(world.signing_out), body: { everywhere: true } });
called("signOut", out.response.status === 204, out);
const left = await client.POST("/disconnect", frontend(world.leaving));
called("disconnect", left.data?.status === "disconnected", left);

const link = await client.POST("/links", { ...backend, body: { owner } });
called("createLink", link.data?.url.startsWith(service), link);
const connected = await client.POST("/connections", { ...backend, body: { connect_code: world.connect_code, owner } });
called("connect", connected.data?.attributed_to?.gid, connected);
const connection: components["schemas"]["Connection"] = connected.data!;
const path = { id: connection.id };
const page = await client.GET("/connections", { ...backend, params: { query: { owner, limit: 2 } } });
called("listConnections", page.data?.data.length === 2 && page.data.next_cursor, page);
const shown = await client.GET("/connections/{id}", { ...backend, params: { path, query: { owner } } });
called("showConnection", shown.data?.id === connection.id && shown.data.status_reason === null, shown);
const given = await client.POST("/connections/{id}/token", { ...backend, params: { path } });
called("connectionToken", given.data?.access_token, given);
const can = await client.GET("/connections/{id}/capabilities", { ...backend, params: { path } });
called("capabilities", can.data?.active && can.data.workspaces?.length, can);
const member = await client.GET("/connections/{id}/membership", { ...backend, params: { path, query: { workspace } } });
called("connectionMembership", member.data && "workspace" in member.data && member.data.workspace.gid === workspace, member);
const reader = await client.PATCH("/connections/{id}", { ...backend, params: { path: { id: world.reader } }, body: { reader_of: [workspace], replace: true } });
called("setReaderOf", reader.data?.reader_of?.length === 1, reader);
const sessions = await client.DELETE("/connections/{id}/sessions", { ...backend, params: { path, query: { owner } } });
called("endSessions", sessions.response.status === 204, sessions);
const ended = await client.DELETE("/connections/{id}", { ...backend, params: { path: { id: world.ending } } });
called("endConnection", ended.data && "revoked_at_asana" in ended.data && !ended.data.revoked_at_asana, ended);
const all = await client.DELETE("/connections", { ...backend, params: { query: { owner: world.ending_owner } } });
called("endConnections", all.data?.disconnected === 1, all);
