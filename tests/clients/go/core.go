// Core NATS and the service API with nats.go. Never touches JetStream.
package main

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

var coreCases = []namedCase{
	{"publish_and_wildcards", wildcards},
	{"queue_group_shares", queueGroup},
	{"request_with_headers", request},
	{"drain_delivers_what_came", drain},
	{"reconnects_after_a_restart", reconnect},
	{"service_answers", service},
}

func wildcards(b *bench) {
	sub := got(b.nc.SubscribeSync("a.*"))
	for _, subject := range []string{"a.b", "a.b.c", "b.a", "a.c"} {
		must(b.nc.Publish(subject, nil))
	}
	same("a.b", got(sub.NextMsg(soon)).Subject)
	same("a.c", got(sub.NextMsg(soon)).Subject)
	same(int64(1<<20), b.nc.MaxPayload())
}

func queueGroup(b *bench) {
	var seen [3]atomic.Int64
	for n := range seen {
		got(b.nc.QueueSubscribe("q", "workers", func(*nats.Msg) { seen[n].Add(1) }))
	}
	for range 300 {
		must(b.nc.Publish("q", nil))
	}
	eventually("300 messages", soon, func() bool { return seen[0].Load()+seen[1].Load()+seen[2].Load() == 300 })
	for n := range seen {
		same(true, seen[n].Load() > 30)
	}
}

func request(b *bench) {
	got(b.nc.Subscribe("double", func(m *nats.Msg) {
		answer := nats.NewMsg(m.Reply)
		answer.Header, answer.Data = m.Header, append(m.Data, m.Data...)
		must(b.nc.PublishMsg(answer))
	}))
	ask := nats.NewMsg("double")
	ask.Header.Add("N", "1")
	ask.Header.Add("N", "2")
	ask.Data = []byte("ab")
	answer := got(b.nc.RequestMsg(ask, soon))
	same("abab", string(answer.Data))
	same([]string{"1", "2"}, answer.Header.Values("N"))
	_, err := b.nc.Request("nobody", nil, soon)
	same(true, errors.Is(err, nats.ErrNoResponders))
}

func drain(b *bench) {
	other := got(nats.Connect(b.server.url))
	var count atomic.Int64
	got(other.Subscribe("d", func(*nats.Msg) { count.Add(1) }))
	must(other.Flush())
	for range 1000 {
		must(b.nc.Publish("d", nil))
	}
	must(b.nc.Flush())
	must(other.Drain())
	eventually("the end of the connection", soon, other.IsClosed)
	same(int64(1000), count.Load())
}

func reconnect(b *bench) {
	sub := got(b.nc.SubscribeSync("r"))
	port := b.server.url[strings.LastIndex(b.server.url, ":")+1:]
	b.server.kill()
	b.server.start(port)
	eventually("the connection", soon, func() bool { return b.nc.IsConnected() && b.nc.Stats().Reconnects == 1 })
	must(b.nc.Publish("r", []byte("again")))
	same("again", string(got(sub.NextMsg(soon)).Data))
}

func service(b *bench) {
	echo := micro.HandlerFunc(func(r micro.Request) { must(r.Respond(r.Data())) })
	srv := got(micro.AddService(b.nc, micro.Config{
		Name: "echo", Version: "1.0.0", Endpoint: &micro.EndpointConfig{Subject: "say", Handler: echo},
	}))
	same("x", string(got(b.nc.Request("say", []byte("x"), soon)).Data))
	same(true, strings.Contains(string(got(b.nc.Request("$SRV.PING.echo", nil, soon)).Data), srv.Info().ID))
	same(1, srv.Stats().Endpoints[0].NumRequests)
	must(srv.Stop())
}
