package operation

import (
	"github.com/hongyan-im/hongyan"
	"github.com/hongyan-im/hongyan/internal/account"
	"github.com/hongyan-im/hongyan/internal/chat"
	"github.com/hongyan-im/hongyan/internal/store"
	"github.com/hongyan-im/hongyan/wire"
)

func fromRecord(r account.Record) *wire.Account {
	b := &wire.Account{
		User: uint64(r.User), Name: r.Name, DisplayName: r.DisplayName, CreatedMs: r.CreatedMS, Disabled: r.Disabled,
		Devices: uint32(r.Devices),
	}
	if r.Retention != (store.Retention{}) {
		b.Retention = &wire.Retention{Days: r.Retention.Days, Messages: r.Retention.Messages}
	}
	return b
}

func createAccount(d *Desk, _ Caller, q *wire.CreateAccountRequest, done func(Reply, error)) {
	d.Accounts.Create(q.Name, q.Password, q.DisplayName, answer(done, func(r account.Record) *wire.CreateAccountReply {
		return &wire.CreateAccountReply{Account: fromRecord(r)}
	}))
}

func listAccounts(d *Desk, _ Caller, q *wire.ListAccountsRequest, done func(Reply, error)) {
	d.Accounts.List(q.After, q.Limit, answer(done, func(l account.Listed) *wire.ListAccountsReply {
		return &wire.ListAccountsReply{Accounts: wire.FromAll(fromRecord, l.Accounts), More: l.More}
	}))
}

func setAccount(d *Desk, _ Caller, q *wire.SetAccountRequest, done func(Reply, error)) {
	set := account.Settings{Password: q.Password, Disabled: q.Disabled}
	if r := q.Retention; r != nil {
		set.Retention = &store.Retention{Days: r.Days, Messages: r.Messages}
	}
	d.Accounts.Set(q.Name, set, answer(done, func(r account.Record) *wire.SetAccountReply {
		return &wire.SetAccountReply{Account: fromRecord(r)}
	}))
}

func mintToken(d *Desk, _ Caller, q *wire.MintTokenRequest, done func(Reply, error)) {
	d.Accounts.Mint(q.Name, newDevice(q.Device), answer(done, func(id account.Identity) *wire.MintTokenReply {
		return &wire.MintTokenReply{DeviceToken: id.DeviceToken, User: uint64(id.User), Device: uint64(id.Device)}
	}))
}

func createKey(d *Desk, _ Caller, q *wire.CreateKeyRequest, done func(Reply, error)) {
	d.Accounts.CreateKey(q.Name, answer(done, func(key string) *wire.CreateKeyReply { return &wire.CreateKeyReply{Key: key} }))
}

func createInvitation(d *Desk, _ Caller, q *wire.CreateInvitationRequest, done func(Reply, error)) {
	d.Accounts.Invite(q.Uses, q.Days, answer(done, func(code string) *wire.CreateInvitationReply {
		return &wire.CreateInvitationReply{Code: code}
	}))
}

func demandTLS(d *Desk, c Caller, q *wire.DemandTLSRequest, done func(Reply, error)) {
	if q.Name == "" {
		done(Reply{Body: &wire.DemandTLSReply{Closed: uint32(d.DemandTLS(0))}}, nil)
		return
	}
	d.Chat.Profiles(c.chat(), []chat.Target{{Name: q.Name}}, func(list []hongyan.Profile, err error) {
		switch {
		case err != nil:
			done(Reply{}, err)
		case len(list) == 0:
			done(Reply{}, hongyan.Errorf(hongyan.NotFound, "there is no account %q", q.Name))
		default:
			done(Reply{Body: &wire.DemandTLSReply{Closed: uint32(d.DemandTLS(list[0].User))}}, nil)
		}
	})
}

func status(d *Desk, _ Caller, _ *wire.StatusRequest, done func(Reply, error)) {
	done(Reply{Body: d.Status()}, nil)
}
