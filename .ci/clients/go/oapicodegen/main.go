// Calls every operation with a client that oapi-codegen has generated.
package main

import (
	"context"
	"strings"

	client "clients/oapicodegen/client"
	"clients/world"
)

func main() {
	ctx, w, called := context.Background(), world.Read(), world.Called
	c, err := client.NewClientWithResponses(w.Service, client.WithHTTPClient(w.Client()))
	if err != nil {
		panic(err)
	}
	state := "s"
	begun, err := c.AuthorizeWithResponse(ctx, &client.AuthorizeParams{AppState: &state})
	called("authorize", err == nil && begun.StatusCode() == 303 && begun.HTTPResponse.Header.Get("Location") != "", begun, err)
	head, err := c.AuthorizeHeadWithResponse(ctx)
	called("authorizeHead", err == nil && head.StatusCode() == 204, head, err)
	callbackHead, err := c.CallbackHeadWithResponse(ctx)
	called("callbackHead", err == nil && callbackHead.StatusCode() == 204, callbackHead, err)
	w.Cookie = w.Attempt.Cookie
	back, err := c.CallbackWithResponse(ctx, &client.CallbackParams{Code: &w.Attempt.Code, State: &w.Attempt.State})
	called("callback", err == nil && isConnected(back.HTTPResponse.Header.Get("Location")), back, err)
	w.Cookie = w.Posted.Cookie
	posted, err := c.CallbackPostWithFormdataBodyWithResponse(ctx, client.CallbackPostFormdataRequestBody{Code: &w.Posted.Code, State: &w.Posted.State})
	called("callbackPost", err == nil && isConnected(posted.HTTPResponse.Header.Get("Location")), posted, err)

	w.Cookie = w.Session
	session, err := c.GetSessionWithResponse(ctx, &client.GetSessionParams{Origin: &w.Service})
	called("getSession", err == nil && session.JSON200 != nil && session.JSON200.Status == client.StatusActive, session, err)
	code, err := c.MakeSessionCodeWithResponse(ctx, &client.MakeSessionCodeParams{Origin: &w.Service}, nil)
	called("makeSessionCode", err == nil && code.JSON201 != nil && code.JSON201.SessionCode != "", code, err)
	ttl := 600
	token, err := c.RefreshWithResponse(ctx, &client.RefreshParams{Origin: &w.Service}, client.TokenRequest{MinTtl: &ttl})
	called("refresh", err == nil && token.JSON200 != nil && token.JSON200.ExpiresIn >= ttl, token, err)
	memberships, err := c.MembershipWithResponse(ctx, &client.MembershipParams{Origin: &w.Service})
	called("membership", err == nil && memberships.JSON200 != nil && len(listOf(*memberships.JSON200)) == 2, memberships, err)
	w.Cookie = w.SigningOut
	yes := true
	out, err := c.SignOutWithResponse(ctx, &client.SignOutParams{Origin: &w.Service}, client.SignOutRequest{Everywhere: &yes})
	called("signOut", err == nil && out.StatusCode() == 204, out, err)
	w.Cookie = w.Leaving
	left, err := c.DisconnectWithResponse(ctx, &client.DisconnectParams{Origin: &w.Service}, nil)
	called("disconnect", err == nil && left.JSON200 != nil && left.JSON200.Status == client.DisconnectedStatusDisconnected, left, err)

	link, err := c.CreateLinkWithResponse(ctx, client.LinkRequest{Owner: w.Owner})
	called("createLink", err == nil && link.JSON201 != nil && strings.HasPrefix(link.JSON201.Url, w.Service), link, err)
	var body client.ConnectRequest
	if err := body.FromRedeemConnectCode(client.RedeemConnectCode{ConnectCode: w.ConnectCode, Owner: w.Owner}); err != nil {
		panic(err)
	}
	connected, err := c.ConnectWithResponse(ctx, body)
	called("connect", err == nil && connected.JSON201 != nil && connected.JSON201.AttributedTo.Gid != "", connected, err)
	id := connected.JSON201.Id
	limit := 2
	page, err := c.ListConnectionsWithResponse(ctx, &client.ListConnectionsParams{Owner: &w.Owner, Limit: &limit})
	called("listConnections", err == nil && page.JSON200 != nil && len(page.JSON200.Data) == limit && page.JSON200.NextCursor != nil, page, err)
	shown, err := c.ShowConnectionWithResponse(ctx, id, &client.ShowConnectionParams{Owner: &w.Owner})
	called("showConnection", err == nil && shown.JSON200 != nil && shown.JSON200.Id == id && shown.JSON200.StatusReason == nil, shown, err)
	given, err := c.ConnectionTokenWithResponse(ctx, id, nil, client.TokenRequest{})
	called("connectionToken", err == nil && given.JSON200 != nil && given.JSON200.AccessToken != "", given, err)
	can, err := c.CapabilitiesWithResponse(ctx, id, nil)
	called("capabilities", err == nil && can.JSON200 != nil && can.JSON200.Active && len(*can.JSON200.Workspaces) > 0, can, err)
	in, err := c.ConnectionMembershipWithResponse(ctx, id, &client.ConnectionMembershipParams{Workspace: &w.Workspace})
	called("connectionMembership", err == nil && in.JSON200 != nil, in, err)
	one, err := in.JSON200.AsMembership()
	called("connectionMembership", err == nil && one.Workspace.Gid == w.Workspace && one.CanWrite != nil, one, err)
	reader, err := c.SetReaderOfWithResponse(ctx, w.Reader, nil, client.ReaderOf{ReaderOf: []string{w.Workspace}, Replace: &yes})
	called("setReaderOf", err == nil && reader.JSON200 != nil && len(*reader.JSON200.ReaderOf) == 1, reader, err)
	sessions, err := c.EndSessionsWithResponse(ctx, id, &client.EndSessionsParams{Owner: &w.Owner}, nil)
	called("endSessions", err == nil && sessions.StatusCode() == 204, sessions, err)
	ended, err := c.EndConnectionWithResponse(ctx, w.Ending, nil, nil)
	called("endConnection", err == nil && ended.JSON200 != nil && !ended.JSON200.RevokedAtAsana, ended, err)
	all, err := c.EndConnectionsWithResponse(ctx, &client.EndConnectionsParams{Owner: &w.EndingOwner}, nil)
	called("endConnections", err == nil && all.JSON202 != nil && all.JSON202.Disconnected == 1, all, err)
}

func isConnected(location string) bool { return strings.Contains(location, "asana=connected") }

func listOf(either client.MembershipOrList) []client.Membership {
	list, err := either.AsMembershipList()
	if err != nil {
		panic(err)
	}
	return list.Data
}
