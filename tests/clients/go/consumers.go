// Taking messages with nats.go: the simplified API, ordered and push consumers, priority groups.
package main

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var consumerCases = []namedCase{
	{"fetch_messages_bytes_and_no_wait", fetch},
	{"consume_by_messages_and_bytes", consume},
	{"messages_with_threshold", messages},
	{"heartbeats_tell_of_a_lost_consumer", lostConsumer},
	{"every_kind_of_acknowledgement", acknowledge},
	{"ordered", ordered},
	{"push_with_flow_control", push},
	{"overflow_groups", overflow},
	{"prioritized_groups", prioritized},
	{"pinned_clients", pinned},
	{"pause_holds_messages_back", pause},
}

// fill makes the stream S with this many messages.
func (b *bench) fill(count int) jetstream.Stream {
	s := b.stream(jetstream.StreamConfig{})
	b.publish(count)
	return s
}

func (b *bench) publish(count int) {
	for range count {
		got(b.js.PublishAsync("s.a", []byte("body")))
	}
	<-b.js.PublishAsyncComplete()
}

func (b *bench) consumer(count int, config jetstream.ConsumerConfig) jetstream.Consumer {
	config.Durable, config.AckPolicy = "d", jetstream.AckExplicitPolicy
	return got(b.fill(count).CreateConsumer(b.ctx, config))
}

func numbers(first, last uint64) []uint64 {
	all := []uint64{}
	for n := first; n <= last; n++ {
		all = append(all, n)
	}
	return all
}

func sequence(m jetstream.Msg) uint64 {
	return got(m.Metadata()).Sequence.Stream
}

// take acknowledges a batch, and says which messages it held and how it ended.
func take(batch jetstream.MessageBatch, err error) ([]uint64, error) {
	must(err)
	taken := []uint64{}
	for m := range batch.Messages() {
		must(m.Ack())
		taken = append(taken, sequence(m))
	}
	return taken, batch.Error()
}

func fetch(b *bench) {
	d := b.consumer(50, jetstream.ConsumerConfig{})
	wait := jetstream.FetchMaxWait(time.Second)
	same(numbers(1, 10), got(take(d.Fetch(10, wait))))
	taken, err := take(d.FetchBytes(1000, wait))
	same(true, err == nil && len(taken) > 5 && len(taken) < 30)
	next := uint64(11 + len(taken))
	same(numbers(next, 50), got(take(d.FetchNoWait(100))))
	same([]uint64{}, got(take(d.FetchNoWait(100))))
	beating := []jetstream.FetchOpt{jetstream.FetchMaxWait(2 * time.Second), jetstream.FetchHeartbeat(200 * time.Millisecond)}
	same([]uint64{}, got(take(d.Fetch(1, beating...))))
	same([]uint64{}, got(take(d.FetchBytes(1000, beating...))))
	eventually("all acknowledged", soon, func() bool { return got(d.Info(b.ctx)).AckFloor.Stream == 50 })
	same(0, got(d.Info(b.ctx)).NumWaiting)
}

func consume(b *bench) {
	d := b.consumer(300, jetstream.ConsumerConfig{})
	ways := [][]jetstream.PullConsumeOpt{
		{jetstream.PullMaxMessages(20), jetstream.PullThresholdMessages(5), jetstream.PullHeartbeat(500 * time.Millisecond)},
		{jetstream.PullMaxBytes(2000)},
		{jetstream.PullMaxBytes(2000), jetstream.PullThresholdBytes(500)},
	}
	for n, options := range ways {
		done := make(chan []uint64, 1)
		seen := []uint64{}
		running := got(d.Consume(func(m jetstream.Msg) {
			must(m.Ack())
			if seen = append(seen, sequence(m)); len(seen) == 300 {
				done <- seen
			}
		}, append(options, jetstream.PullExpiry(time.Second))...))
		select {
		case all := <-done:
			same(numbers(uint64(300*n+1), uint64(300*n+300)), all)
		case <-time.After(soon):
			panic("not all came")
		}
		running.Drain()
		<-running.Closed()
		b.publish(300)
	}
}

func messages(b *bench) {
	d := b.consumer(300, jetstream.ConsumerConfig{})
	iterator := got(d.Messages(jetstream.PullMaxMessages(10), jetstream.PullThresholdMessages(3),
		jetstream.PullExpiry(2*time.Second), jetstream.PullHeartbeat(500*time.Millisecond)))
	for n := uint64(1); n <= 300; n++ {
		m := got(iterator.Next())
		same(n, sequence(m))
		must(m.DoubleAck(b.ctx))
	}
	same(uint64(300), got(d.Info(b.ctx)).AckFloor.Stream)
	iterator.Stop()
}

func lostConsumer(b *bench) {
	d := b.consumer(0, jetstream.ConsumerConfig{})
	told := make(chan error, 8)
	running := got(d.Consume(func(jetstream.Msg) {}, jetstream.PullExpiry(5*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { told <- err })))
	eventually("the request", soon, func() bool { return got(d.Info(b.ctx)).NumWaiting == 1 })
	must(b.js.DeleteConsumer(b.ctx, "S", "d"))
	same(true, errors.Is(<-told, jetstream.ErrConsumerDeleted))
	<-running.Closed()
}

func acknowledge(b *bench) {
	d := b.consumer(4, jetstream.ConsumerConfig{AckWait: 1500 * time.Millisecond, MaxDeliver: 3})
	four := []jetstream.Msg{}
	for m := range got(d.Fetch(4)).Messages() {
		four = append(four, m)
	}
	must(four[0].DoubleAck(b.ctx))
	must(four[1].Nak())
	must(four[2].TermWithReason("cannot be read"))
	must(four[3].NakWithDelay(300 * time.Millisecond))
	for _, expected := range []uint64{2, 4} {
		m := got(d.Next())
		meta := got(m.Metadata())
		same([]uint64{expected, 2}, []uint64{meta.Sequence.Stream, meta.NumDelivered})
		must(m.InProgress())
		must(m.Ack())
	}
	eventually("all settled", soon, func() bool { return got(d.Info(b.ctx)).AckFloor.Stream == 4 })
}

func ordered(b *bench) {
	s := b.fill(300)
	config := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: 250}
	iterator := got(got(s.OrderedConsumer(b.ctx, config)).Messages(jetstream.PullMaxMessages(20)))
	for n := uint64(250); n <= 300; n++ {
		same(n, sequence(got(iterator.Next())))
	}
	iterator.Stop()
	same(numbers(1, 100), got(take(got(s.OrderedConsumer(b.ctx, jetstream.OrderedConsumerConfig{})).Fetch(100))))
}

func push(b *bench) {
	s := b.fill(2000)
	d := got(s.CreatePushConsumer(b.ctx, jetstream.ConsumerConfig{
		Durable: "p", DeliverSubject: "to.me", FlowControl: true, IdleHeartbeat: time.Second, AckPolicy: jetstream.AckExplicitPolicy,
	}))
	var count atomic.Uint64
	running := got(d.Consume(func(m jetstream.Msg) {
		same(count.Add(1), sequence(m))
		must(m.Ack())
	}))
	eventually("all acknowledged", soon, func() bool { return got(d.Info(b.ctx)).AckFloor.Stream == 2000 })
	running.Stop()
}

func overflow(b *bench) {
	d := b.consumer(20, jetstream.ConsumerConfig{PriorityGroups: []string{"g"}, PriorityPolicy: jetstream.PriorityPolicyOverflow})
	options := func(more jetstream.FetchOpt) []jetstream.FetchOpt {
		return []jetstream.FetchOpt{jetstream.FetchMaxWait(time.Second), jetstream.FetchPriorityGroup("g"), more}
	}
	same([]uint64{}, got(take(d.Fetch(5, options(jetstream.FetchMinPending(100))...))))
	same(numbers(1, 5), got(take(d.Fetch(5, options(jetstream.FetchMinPending(10))...))))
	eventually("all acknowledged", soon, func() bool { return got(d.Info(b.ctx)).NumAckPending == 0 })
	same([]uint64{}, got(take(d.Fetch(5, options(jetstream.FetchMinAckPending(1))...))))
}

func prioritized(b *bench) {
	d := b.consumer(0, jetstream.ConsumerConfig{PriorityGroups: []string{"g"}, PriorityPolicy: jetstream.PriorityPolicyPrioritized})
	group := jetstream.FetchPriorityGroup("g")
	wait := jetstream.FetchMaxWait(3 * time.Second)
	later := got(d.Fetch(1, wait, group, jetstream.FetchPrioritized(5)))
	sooner := got(d.Fetch(1, wait, group, jetstream.FetchPrioritized(0)))
	eventually("both requests", soon, func() bool { return got(d.Info(b.ctx)).NumWaiting == 2 })
	b.publish(2)
	same(numbers(1, 1), got(take(sooner, nil)))
	same(numbers(2, 2), got(take(later, nil)))
}

func pinned(b *bench) {
	d := b.consumer(5, jetstream.ConsumerConfig{
		PriorityGroups: []string{"g"}, PriorityPolicy: jetstream.PriorityPolicyPinned, PinnedTTL: time.Minute,
	})
	group := jetstream.PullPriorityGroup("g")
	seen := make(chan uint64, 16)
	first := got(d.Consume(func(m jetstream.Msg) {
		must(m.Ack())
		seen <- sequence(m)
	}, group, jetstream.PullExpiry(2*time.Second)))
	for n := uint64(1); n <= 5; n++ {
		same(n, <-seen)
	}
	same(true, got(d.Info(b.ctx)).PriorityGroups[0].PinnedClientID != "")
	first.Stop()
	second := got(got(b.js.Consumer(b.ctx, "S", "d")).Messages(group, jetstream.PullExpiry(2*time.Second)))
	must(got(b.js.Stream(b.ctx, "S")).UnpinConsumer(b.ctx, "d", "g"))
	b.publish(3)
	taken := []uint64{}
	for range 3 {
		m := got(second.Next())
		must(m.Ack())
		taken = append(taken, sequence(m))
	}
	slices.Sort(taken)
	same(numbers(6, 8), taken)
	second.Stop()
}

func pause(b *bench) {
	d := b.consumer(5, jetstream.ConsumerConfig{})
	s := got(b.js.Stream(b.ctx, "S"))
	same(true, got(s.PauseConsumer(b.ctx, "d", time.Now().Add(time.Minute))).Paused)
	wait := jetstream.FetchMaxWait(time.Second)
	same([]uint64{}, got(take(d.Fetch(5, wait))))
	same(false, got(s.ResumeConsumer(b.ctx, "d")).Paused)
	same(numbers(1, 5), got(take(d.Fetch(5, wait))))
}
