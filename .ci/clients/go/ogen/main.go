// Calls every operation with a client that ogen has generated.
package main

import (
	"context"
	"net/url"
	"strings"

	client "clients/ogen/client"
	"clients/world"
)

// security gives the generated client its credentials. Package world replaces the
// cookie, whose name depends on the port of "asanaauth local".
type security struct{ key string }

func (s security) SessionCookie(context.Context, client.OperationName) (client.SessionCookie, error) {
	return client.SessionCookie{APIKey: "replaced"}, nil
}

func (s security) Iam(context.Context, client.OperationName) (client.Iam, error) {
	return client.Iam{APIKey: "replaced"}, nil
}

func (s security) Local(context.Context, client.OperationName) (client.Local, error) {
	return client.Local{Token: s.key}, nil
}

func main() {
	ctx, w, called := context.Background(), world.Read(), world.Called
	c, err := client.NewClient(w.Service, security{w.Key}, client.WithClient(w.Client()))
	if err != nil {
		panic(err)
	}
	origin := client.NewOptString(w.Service)
	begun, err := c.Authorize(ctx, client.AuthorizeParams{AppState: client.NewOptString("s")})
	toAsana, ok := begun.(*client.AuthorizeSeeOther)
	called("authorize", ok && toAsana.Location != "", begun, err)
	head, err := c.AuthorizeHead(ctx)
	_, ok = head.(*client.NoNavigation)
	called("authorizeHead", ok, head, err)
	head2, err := c.CallbackHead(ctx)
	_, ok = head2.(*client.NoNavigation)
	called("callbackHead", ok, head2, err)
	w.Cookie = w.Attempt.Cookie
	back, err := c.Callback(ctx, client.CallbackParams{Code: client.NewOptString(w.Attempt.Code), State: client.NewOptString(w.Attempt.State)})
	toApp, ok := back.(*client.BackToApp)
	called("callback", ok && strings.Contains(toApp.Location, "asana=connected"), back, err)
	w.Cookie = w.Posted.Cookie
	posted, err := c.CallbackPost(ctx, &client.CallbackPostReq{Code: client.NewOptString(w.Posted.Code), State: client.NewOptString(w.Posted.State)})
	toApp, ok = posted.(*client.BackToApp)
	called("callbackPost", ok && strings.Contains(toApp.Location, "asana=connected"), posted, err)

	w.Cookie = w.Session
	session, err := c.GetSession(ctx, client.GetSessionParams{Origin: origin})
	person, ok := session.(*client.Session)
	called("getSession", ok && person.Status == client.StatusActive, session, err)
	code, err := c.MakeSessionCode(ctx, &client.EmptyRequest{}, client.MakeSessionCodeParams{Origin: origin})
	made, ok := code.(*client.SessionCode)
	called("makeSessionCode", ok && made.SessionCode != "", code, err)
	refreshed, err := c.Refresh(ctx, client.NewOptTokenRequest(client.TokenRequest{MinTTL: client.NewOptInt(600)}), client.RefreshParams{Origin: origin})
	token, ok := refreshed.(*client.Token)
	called("refresh", ok && token.ExpiresIn >= 600, refreshed, err)
	memberships, err := c.Membership(ctx, client.MembershipParams{Origin: origin})
	either, ok := memberships.(*client.MembershipOrList)
	called("membership", ok && len(either.MembershipList.Data) == 2, memberships, err)
	w.Cookie = w.SigningOut
	out, err := c.SignOut(ctx, client.NewOptSignOutRequest(client.SignOutRequest{Everywhere: client.NewOptBool(true)}), client.SignOutParams{Origin: origin})
	_, ok = out.(*client.SignOutNoContent)
	called("signOut", ok, out, err)
	w.Cookie = w.Leaving
	left, err := c.Disconnect(ctx, &client.EmptyRequest{}, client.DisconnectParams{Origin: origin})
	_, ok = left.(*client.Disconnected)
	called("disconnect", ok, left, err)

	link, err := c.CreateLink(ctx, &client.LinkRequest{Owner: client.Owner(w.Owner)})
	url, ok := link.(*client.Link)
	called("createLink", ok && at(url.URL, w.Service), link, err)
	connected, err := c.Connect(ctx, client.NewRedeemConnectCodeConnectRequest(client.RedeemConnectCode{ConnectCode: w.ConnectCode, Owner: client.Owner(w.Owner)}))
	created, ok := connected.(*client.ConnectCreated)
	called("connect", ok && !created.AttributedTo.Null, connected, err)
	id, owner := created.ID, client.NewOptOwner(client.Owner(w.Owner))
	list, err := c.ListConnections(ctx, client.ListConnectionsParams{Owner: owner, Limit: client.NewOptInt(2)})
	page, ok := list.(*client.ConnectionPage)
	called("listConnections", ok && len(page.Data) == 2 && !page.NextCursor.Null, list, err)
	shown, err := c.ShowConnection(ctx, client.ShowConnectionParams{ID: id, Owner: owner})
	connection, ok := shown.(*client.Connection)
	called("showConnection", ok && connection.ID == id && connection.StatusReason.Null, shown, err)
	given, err := c.ConnectionToken(ctx, client.OptTokenRequest{}, client.ConnectionTokenParams{ID: id})
	bearer, ok := given.(*client.BackendToken)
	called("connectionToken", ok && bearer.AccessToken != "", given, err)
	asked, err := c.Capabilities(ctx, client.CapabilitiesParams{ID: id})
	can, ok := asked.(*client.Capabilities)
	called("capabilities", ok && can.Active && len(can.Workspaces) > 0, asked, err)
	in, err := c.ConnectionMembership(ctx, client.ConnectionMembershipParams{ID: id, Workspace: client.NewOptGID(client.GID(w.Workspace))})
	either, ok = in.(*client.MembershipOrList)
	called("connectionMembership", ok && either.IsMembership() && either.Membership.Workspace.Gid == client.GID(w.Workspace), in, err)
	set, err := c.SetReaderOf(ctx, &client.ReaderOf{ReaderOf: []client.GID{client.GID(w.Workspace)}, Replace: client.NewOptBool(true)}, client.SetReaderOfParams{ID: client.ConnectionID(w.Reader)})
	reader, ok := set.(*client.Connection)
	called("setReaderOf", ok && len(reader.ReaderOf) == 1, set, err)
	sessions, err := c.EndSessions(ctx, &client.EmptyRequest{}, client.EndSessionsParams{ID: id, Owner: owner})
	_, ok = sessions.(*client.EndSessionsNoContent)
	called("endSessions", ok, sessions, err)
	ended, err := c.EndConnection(ctx, &client.EmptyRequest{}, client.EndConnectionParams{ID: client.ConnectionID(w.Ending)})
	end, ok := ended.(*client.Disconnected)
	called("endConnection", ok && !end.RevokedAtAsana, ended, err)
	all, err := c.EndConnections(ctx, &client.EmptyRequest{}, client.EndConnectionsParams{Owner: client.NewOptOwner(client.Owner(w.EndingOwner))})
	count, ok := all.(*client.Ended)
	called("endConnections", ok && count.Disconnected == 1, all, err)
}

func at(u url.URL, service string) bool { return u.Scheme+"://"+u.Host == service }
