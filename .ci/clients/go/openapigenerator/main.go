// Calls every operation with a Go client that openapi-generator has generated.
package main

import (
	"context"
	"net/http"
	"strings"

	client "clients/openapigenerator/client"
	"clients/world"
)

func main() {
	ctx, w, called := context.Background(), world.Read(), world.Called
	conf := client.NewConfiguration()
	conf.HTTPClient = w.Client()
	conf.Servers = client.ServerConfigurations{{URL: w.Service}}
	c := client.NewAPIClient(conf)
	// The generated client returns an error for a redirect, as for every status above 299.
	_, r, err := c.BrowserAPI.Authorize(ctx).AppState("s").Execute()
	called("authorize", r != nil && r.StatusCode == 303 && r.Header.Get("Location") != "", r, err)
	r, err = c.BrowserAPI.AuthorizeHead(ctx).Execute()
	called("authorizeHead", err == nil && r.StatusCode == 204, r, err)
	r, err = c.BrowserAPI.CallbackHead(ctx).Execute()
	called("callbackHead", err == nil && r.StatusCode == 204, r, err)
	w.Cookie = w.Attempt.Cookie
	_, r, err = c.BrowserAPI.Callback(ctx).Code(w.Attempt.Code).State(w.Attempt.State).Execute()
	called("callback", isConnected(r), r, err)
	w.Cookie = w.Posted.Cookie
	_, r, err = c.BrowserAPI.CallbackPost(ctx).Code(w.Posted.Code).State(w.Posted.State).Execute()
	called("callbackPost", isConnected(r), r, err)

	w.Cookie = w.Session
	session, _, err := c.FrontendAPI.GetSession(ctx).Origin(w.Service).Execute()
	called("getSession", err == nil && session.Status == client.ACTIVE, session, err)
	code, _, err := c.FrontendAPI.MakeSessionCode(ctx).Origin(w.Service).Execute()
	called("makeSessionCode", err == nil && code.SessionCode != "", code, err)
	ttl := int32(600)
	token, _, err := c.FrontendAPI.Refresh(ctx).Origin(w.Service).TokenRequest(client.TokenRequest{MinTtl: &ttl}).Execute()
	called("refresh", err == nil && token.ExpiresIn >= ttl, token, err)
	memberships, _, err := c.FrontendAPI.Membership(ctx).Origin(w.Service).Execute()
	called("membership", err == nil && memberships.MembershipList != nil && len(memberships.MembershipList.Data) == 2, memberships, err)
	w.Cookie = w.SigningOut
	yes := true
	r, err = c.FrontendAPI.SignOut(ctx).Origin(w.Service).SignOutRequest(client.SignOutRequest{Everywhere: &yes}).Execute()
	called("signOut", err == nil && r.StatusCode == 204, r, err)
	w.Cookie = w.Leaving
	left, _, err := c.FrontendAPI.Disconnect(ctx).Origin(w.Service).Execute()
	called("disconnect", err == nil && left.Status == "disconnected", left, err)

	link, _, err := c.BackendAPI.CreateLink(ctx).LinkRequest(client.LinkRequest{Owner: w.Owner}).Execute()
	called("createLink", err == nil && strings.HasPrefix(link.Url, w.Service), link, err)
	body := client.RedeemConnectCodeAsConnectRequest(client.NewRedeemConnectCode(w.ConnectCode, w.Owner))
	connected, _, err := c.BackendAPI.Connect(ctx).ConnectRequest(body).Execute()
	called("connect", err == nil && connected.AttributedTo.IsSet() && connected.AttributedTo.Get().Gid != "", connected, err)
	id := connected.Id
	page, _, err := c.BackendAPI.ListConnections(ctx).Owner(w.Owner).Limit(2).Execute()
	called("listConnections", err == nil && len(page.Data) == 2 && page.NextCursor.Get() != nil, page, err)
	shown, _, err := c.BackendAPI.ShowConnection(ctx, id).Owner(w.Owner).Execute()
	called("showConnection", err == nil && shown.Id == id && shown.StatusReason.Get() == nil, shown, err)
	given, _, err := c.BackendAPI.ConnectionToken(ctx, id).Execute()
	called("connectionToken", err == nil && given.AccessToken != "", given, err)
	can, _, err := c.BackendAPI.Capabilities(ctx, id).Execute()
	called("capabilities", err == nil && can.Active && len(can.Workspaces) > 0, can, err)
	in, _, err := c.BackendAPI.ConnectionMembership(ctx, id).Workspace(w.Workspace).Execute()
	called("connectionMembership", err == nil && in.Membership != nil && in.Membership.Workspace.Gid == w.Workspace, in, err)
	reader, _, err := c.BackendAPI.SetReaderOf(ctx, w.Reader).ReaderOf(client.ReaderOf{ReaderOf: []string{w.Workspace}, Replace: &yes}).Execute()
	called("setReaderOf", err == nil && len(reader.ReaderOf) == 1, reader, err)
	r, err = c.BackendAPI.EndSessions(ctx, id).Owner(w.Owner).Execute()
	called("endSessions", err == nil && r.StatusCode == 204, r, err)
	ended, _, err := c.BackendAPI.EndConnection(ctx, w.Ending).Execute()
	called("endConnection", err == nil && !ended.RevokedAtAsana, ended, err)
	all, _, err := c.BackendAPI.EndConnections(ctx).Owner(w.EndingOwner).Execute()
	called("endConnections", err == nil && all.Disconnected == 1, all, err)
}

func isConnected(r *http.Response) bool {
	return r != nil && strings.Contains(r.Header.Get("Location"), "asana=connected")
}
