// Streams, publishing and both stores with nats.go. Never takes from a consumer.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var streamCases = []namedCase{
	{"stream_life", streamLife},
	{"publish_expectations", expectations},
	{"asynchronous_publish", publishAsync},
	{"keys_and_watch", keys},
	{"copies_of_keys", copies},
	{"objects", objects},
}

func (b *bench) stream(config jetstream.StreamConfig) jetstream.Stream {
	config.Name, config.Subjects = "S", []string{"s.*"}
	return got(b.js.CreateStream(b.ctx, config))
}

// refused is the number of the refusal.
func refused(err error) jetstream.ErrorCode {
	var refusal *jetstream.APIError
	if errors.As(err, &refusal) {
		return refusal.ErrorCode
	}
	panic(fmt.Errorf("expected a refusal, found %v", err))
}

func streamLife(b *bench) {
	s := b.stream(jetstream.StreamConfig{AllowDirect: true})
	for n := range 9 {
		got(b.js.Publish(b.ctx, fmt.Sprintf("s.%d", n%3), []byte{byte(n)}))
	}
	same(uint64(9), got(s.GetLastMsgForSubject(b.ctx, "s.2")).Sequence)
	same("s.1", got(s.GetMsg(b.ctx, 5)).Subject)
	must(s.DeleteMsg(b.ctx, 5))
	_, err := s.GetMsg(b.ctx, 5)
	same(true, errors.Is(err, jetstream.ErrMsgNotFound))
	must(s.Purge(b.ctx, jetstream.WithPurgeSubject("s.0"), jetstream.WithPurgeKeep(1)))
	same(uint64(6), got(s.Info(b.ctx)).State.Msgs)
	names := []string{}
	for name := range b.js.StreamNames(b.ctx, jetstream.WithStreamListSubject("s.x")).Name() {
		names = append(names, name)
	}
	same([]string{"S"}, names)
	account := got(b.js.AccountInfo(b.ctx))
	same([]int{1, 0}, []int{account.Streams, account.Consumers})
	must(b.js.DeleteStream(b.ctx, "S"))
	same(true, errors.Is(b.js.DeleteStream(b.ctx, "S"), jetstream.ErrStreamNotFound))
}

func expectations(b *bench) {
	b.stream(jetstream.StreamConfig{})
	same(false, got(b.js.Publish(b.ctx, "s.a", nil, jetstream.WithMsgID("a"))).Duplicate)
	same(true, got(b.js.Publish(b.ctx, "s.a", nil, jetstream.WithMsgID("a"))).Duplicate)
	for code, option := range map[jetstream.ErrorCode]jetstream.PublishOpt{
		10071: jetstream.WithExpectLastSequence(7),
		10070: jetstream.WithExpectLastMsgID("b"),
		10060: jetstream.WithExpectStream("T"),
	} {
		_, err := b.js.Publish(b.ctx, "s.a", nil, option)
		same(code, refused(err))
	}
}

func publishAsync(b *bench) {
	s := b.stream(jetstream.StreamConfig{})
	for range 5000 {
		got(b.js.PublishAsync("s.a", []byte("x")))
	}
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(soon):
		panic("not all were acknowledged")
	}
	same(uint64(5000), got(s.Info(b.ctx)).State.LastSeq)
}

func keys(b *bench) {
	kv := got(b.js.CreateKeyValue(b.ctx, jetstream.KeyValueConfig{Bucket: "b", History: 3, LimitMarkerTTL: time.Second}))
	watch := got(kv.Watch(b.ctx, "a.*"))
	same(true, <-watch.Updates() == nil)
	same(uint64(1), got(kv.Put(b.ctx, "a.1", []byte("x"))))
	same("a.1", (<-watch.Updates()).Key())
	_, err := kv.Create(b.ctx, "a.1", nil)
	same(true, errors.Is(err, jetstream.ErrKeyExists))
	_, err = kv.Update(b.ctx, "a.1", nil, 7)
	same(jetstream.ErrorCode(10071), refused(err))
	must(kv.Delete(b.ctx, "a.1"))
	same(jetstream.KeyValueDelete, (<-watch.Updates()).Operation())
	same(2, len(got(kv.History(b.ctx, "a.1"))))
	got(kv.Create(b.ctx, "brief", []byte("x"), jetstream.KeyTTL(time.Second)))
	eventually("its end", soon, func() bool {
		_, err := kv.Get(b.ctx, "brief")
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
	must(watch.Stop())
}

// Buckets that follow another, under their own name and under its, watches that begin in the middle, and the marker that a
// purge leaves behind for a while.
func copies(b *bench) {
	origin := got(b.js.CreateKeyValue(b.ctx, jetstream.KeyValueConfig{Bucket: "origin", History: 5, LimitMarkerTTL: time.Second}))
	must(origin.PurgeDeletes(b.ctx))
	for _, value := range []string{"1", "2", "3"} {
		got(origin.PutString(b.ctx, "a.1", value))
	}
	same(uint64(4), got(origin.PutString(b.ctx, "a.2", "4")))
	copied := got(b.js.CreateKeyValue(b.ctx, jetstream.KeyValueConfig{
		Bucket: "copy", Sources: []*jetstream.StreamSource{{Name: "origin"}},
	}))
	got(b.js.CreateKeyValue(b.ctx, jetstream.KeyValueConfig{
		Bucket: "mirror", Mirror: &jetstream.StreamSource{Name: "origin"},
	}))
	eventually("the copy", soon, func() bool {
		entry, err := copied.Get(b.ctx, "a.2")
		return err == nil && string(entry.Value()) == "4"
	})
	same("3", string(got(copied.Get(b.ctx, "a.1")).Value()))
	// The mirror keeps the keys as its origin has them.
	mirror := got(b.js.Stream(b.ctx, "KV_mirror"))
	eventually("the mirror", soon, func() bool {
		last, err := mirror.GetLastMsgForSubject(b.ctx, "$KV.origin.a.2")
		return err == nil && string(last.Data) == "4" && last.Sequence == 4
	})
	got(origin.PutString(b.ctx, "a.3", "5"))
	eventually("what came later", soon, func() bool {
		entry, err := copied.Get(b.ctx, "a.3")
		return err == nil && string(entry.Value()) == "5"
	})
	resumed := got(origin.Watch(b.ctx, "a.1", jetstream.ResumeFromRevision(2)))
	same("2", string((<-resumed.Updates()).Value()))
	same("3", string((<-resumed.Updates()).Value()))
	same(true, <-resumed.Updates() == nil)
	must(origin.Purge(b.ctx, "a.1", jetstream.PurgeTTL(time.Second)))
	same(jetstream.KeyValuePurge, (<-resumed.Updates()).Operation())
	must(resumed.Stop())
	same(1, len(got(origin.History(b.ctx, "a.1"))))
	eventually("the end of the marker", soon, func() bool {
		_, err := origin.History(b.ctx, "a.1")
		return errors.Is(err, jetstream.ErrKeyNotFound)
	})
	same(2, len(got(origin.Keys(b.ctx))))
}

func objects(b *bench) {
	store := got(b.js.CreateObjectStore(b.ctx, jetstream.ObjectStoreConfig{Bucket: "o"}))
	body := make([]byte, 3*128*1024+5)
	rand.New(rand.NewSource(7)).Read(body)
	same(uint32(4), got(store.PutBytes(b.ctx, "x", body)).Chunks)
	same(true, bytes.Equal(body, got(store.GetBytes(b.ctx, "x"))))
	other := got(b.js.CreateObjectStore(b.ctx, jetstream.ObjectStoreConfig{Bucket: "links"}))
	got(other.AddLink(b.ctx, "to", got(store.GetInfo(b.ctx, "x"))))
	same(true, bytes.Equal(body, got(other.GetBytes(b.ctx, "to"))))
	must(store.Delete(b.ctx, "x"))
	_, err := store.GetBytes(b.ctx, "x")
	same(true, errors.Is(err, jetstream.ErrObjectNotFound))
	must(store.Seal(b.ctx))
	same(true, got(store.Status(b.ctx)).Sealed())
}
