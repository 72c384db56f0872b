// Taking messages with jnats: the simplified API, push subscriptions, and what a consumer promises.

import io.nats.client.BaseConsumerContext;
import io.nats.client.Connection;
import io.nats.client.ConsumeOptions;
import io.nats.client.ConsumerContext;
import io.nats.client.FetchConsumeOptions;
import io.nats.client.FetchConsumer;
import io.nats.client.IterableConsumer;
import io.nats.client.JetStreamManagement;
import io.nats.client.JetStreamSubscription;
import io.nats.client.Message;
import io.nats.client.MessageConsumer;
import io.nats.client.PushSubscribeOptions;
import io.nats.client.api.AckPolicy;
import io.nats.client.api.ConsumerConfiguration;
import io.nats.client.api.ConsumerInfo;
import io.nats.client.api.DeliverPolicy;
import io.nats.client.api.OrderedConsumerConfiguration;
import io.nats.client.api.PriorityPolicy;
import io.nats.client.api.StreamConfiguration;
import java.time.Duration;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;

final class ConsumerCases {
    private static final Duration SOON = Duration.ofSeconds(20);

    public static void main(String[] arguments) {
        new Checks()
            .add("fetch_messages_and_bytes", ConsumerCases::fetch)
            .add("fetch_without_waiting", ConsumerCases::fetchNoWait)
            .add("next", ConsumerCases::next)
            .add("iterate_with_threshold", ConsumerCases::iterate)
            .add("consume_by_messages_and_bytes", ConsumerCases::consume)
            .add("every_kind_of_acknowledgement", ConsumerCases::acknowledge)
            .add("ordered", ConsumerCases::ordered)
            .add("push_with_flow_control", ConsumerCases::push)
            .add("overflow_groups", ConsumerCases::overflow)
            .add("pinned_clients", ConsumerCases::pinned)
            .add("pause_and_reset", ConsumerCases::pause)
            .run();
    }

    /** A stream S on s.* with this many messages. */
    private static JetStreamManagement stream(Connection connection, int count) throws Exception {
        JetStreamManagement manage = connection.jetStreamManagement();
        manage.addStream(StreamConfiguration.builder().name("S").subjects("s.*").build());
        publish(connection, count);
        return manage;
    }

    private static void publish(Connection connection, int count) throws Exception {
        List<java.util.concurrent.CompletableFuture<?>> acks = new ArrayList<>();
        for (int n = 0; n < count; n += 1) {
            acks.add(connection.jetStream().publishAsync("s.a", ("" + n).getBytes()));
        }
        for (var ack : acks) {
            ack.get();
        }
    }

    private static ConsumerConfiguration.Builder durable() {
        return ConsumerConfiguration.builder().durable("d").ackPolicy(AckPolicy.Explicit);
    }

    private static ConsumerContext consumer(Connection connection, int count, ConsumerConfiguration.Builder config) throws Exception {
        stream(connection, count);
        return connection.getStreamContext("S").createOrUpdateConsumer(config.build());
    }

    private static List<Long> numbers(long first, long last) {
        return LongStream.rangeClosed(first, last).boxed().toList();
    }

    private static List<Long> take(BaseConsumerContext consumer, FetchConsumeOptions options) throws Exception {
        List<Long> taken = new ArrayList<>();
        try (FetchConsumer fetch = consumer.fetch(options)) {
            for (Message m = fetch.nextMessage(); m != null; m = fetch.nextMessage()) {
                m.ack();
                taken.add(m.metaData().streamSequence());
            }
        }
        return taken;
    }

    private static FetchConsumeOptions.Builder upTo(int count) {
        return FetchConsumeOptions.builder().maxMessages(count).expiresIn(1000);
    }

    private static void fetch(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 50, durable());
        Checks.same(numbers(1, 10), take(d, upTo(10).build()));
        List<Long> bytes = take(d, FetchConsumeOptions.builder().maxBytes(1000).expiresIn(1000).build());
        Checks.holds("bytes bound it: " + bytes, bytes.size() > 5 && bytes.size() < 30);
        long next = 11 + bytes.size();
        Checks.same(numbers(next, 50), take(d, upTo(100).build()));
        Checks.eventually("all acknowledged", () -> d.getConsumerInfo().getAckFloor().getStreamSequence() == 50);
        Checks.same(0L, d.getConsumerInfo().getNumWaiting());
    }

    private static void fetchNoWait(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 3, durable());
        Checks.same(numbers(1, 3), take(d, FetchConsumeOptions.builder().maxMessages(10).noWait().build()));
        Checks.same(List.of(), take(d, FetchConsumeOptions.builder().maxMessages(10).noWait().build()));
        Checks.same(List.of(), take(d, FetchConsumeOptions.builder().maxMessages(10).noWaitExpiresIn(1000).build()));
    }

    private static void next(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 1, durable());
        d.next(SOON).ackSync(SOON);
        Checks.same(null, d.next(1000));
        Checks.same(1L, d.getConsumerInfo().getAckFloor().getStreamSequence());
    }

    private static void iterate(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 300, durable());
        ConsumeOptions options = ConsumeOptions.builder().batchSize(10).thresholdPercent(30).expiresIn(2000).build();
        List<Long> taken = new ArrayList<>();
        try (IterableConsumer messages = d.iterate(options)) {
            while (taken.size() < 300) {
                Message m = messages.nextMessage(SOON);
                m.ack();
                taken.add(m.metaData().streamSequence());
            }
        }
        Checks.same(numbers(1, 300), taken);
    }

    private static void consume(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 300, durable());
        List<Long> seen = Collections.synchronizedList(new ArrayList<>());
        ConsumeOptions counted = ConsumeOptions.builder().batchSize(20).expiresIn(1000).build();
        ConsumeOptions weighed = ConsumeOptions.builder().batchBytes(2000).expiresIn(1000).build();
        MessageConsumer first = d.consume(counted, m -> {
            m.ack();
            seen.add(m.metaData().streamSequence());
        });
        Checks.eventually("300 messages", () -> seen.size() == 300);
        first.stop();
        Checks.eventually("the end", first::isFinished);
        MessageConsumer second = d.consume(weighed, m -> {
            m.ack();
            seen.add(m.metaData().streamSequence());
        });
        publish(connection, 300);
        Checks.eventually("600 messages", () -> seen.size() == 600);
        Checks.same(numbers(1, 600), List.copyOf(seen));
        second.close();
    }

    private static void acknowledge(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 4, durable().ackWait(Duration.ofMillis(1500)).maxDeliver(3));
        List<Message> four = new ArrayList<>();
        for (int n = 0; n < 4; n += 1) {
            four.add(d.next(SOON));
        }
        four.get(0).ackSync(SOON);
        four.get(1).nak();
        four.get(2).term();
        four.get(3).nakWithDelay(300);
        for (long expected : List.of(2L, 4L)) {
            Message again = d.next(SOON);
            Checks.same(expected + " 2", again.metaData().streamSequence() + " " + again.metaData().deliveredCount());
            again.inProgress();
            again.ack();
        }
        Checks.eventually("all settled", () -> d.getConsumerInfo().getAckFloor().getStreamSequence() == 4);
    }

    private static void ordered(Connection connection, Server server) throws Exception {
        stream(connection, 300);
        var stream = connection.getStreamContext("S");
        var all = stream.createOrderedConsumer(new OrderedConsumerConfiguration());
        Checks.same(numbers(1, 300), takeOrdered(all, 300));
        var some = stream.createOrderedConsumer(
            new OrderedConsumerConfiguration().deliverPolicy(DeliverPolicy.ByStartSequence).startSequence(290));
        Checks.same(numbers(290, 300), takeOrdered(some, 11));
    }

    private static List<Long> takeOrdered(BaseConsumerContext consumer, int count) throws Exception {
        List<Long> taken = new ArrayList<>();
        try (IterableConsumer messages = consumer.iterate()) {
            while (taken.size() < count) {
                taken.add(messages.nextMessage(SOON).metaData().streamSequence());
            }
        }
        return taken;
    }

    private static void push(Connection connection, Server server) throws Exception {
        stream(connection, 2000);
        ConsumerConfiguration config = durable().flowControl(1000).deliverSubject("to.me").build();
        JetStreamSubscription pushed = connection.jetStream().subscribe("s.*", PushSubscribeOptions.builder().configuration(config).build());
        for (long n = 1; n <= 2000; n += 1) {
            Message m = pushed.nextMessage(SOON);
            Checks.same(n, m.metaData().streamSequence());
            m.ack();
        }
        Checks.eventually("all acknowledged", () -> pushed.getConsumerInfo().getAckFloor().getStreamSequence() == 2000);
        var ordered = connection.jetStream().subscribe("s.*", PushSubscribeOptions.builder().ordered(true).build());
        for (long n = 1; n <= 2000; n += 1) {
            Checks.same(n, ordered.nextMessage(SOON).metaData().streamSequence());
        }
    }

    private static void overflow(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 20, durable().priorityGroups("g").priorityPolicy(PriorityPolicy.Overflow));
        Checks.same(List.of(), take(d, upTo(5).group("g").minPending(100).build()));
        Checks.same(numbers(1, 5), take(d, upTo(5).group("g").minPending(10).build()));
        Checks.eventually("all acknowledged", () -> d.getConsumerInfo().getNumAckPending() == 0);
        Checks.same(List.of(), take(d, upTo(5).group("g").minAckPending(1).build()));
    }

    private static void pinned(Connection connection, Server server) throws Exception {
        ConsumerConfiguration.Builder config = durable().priorityGroups("g").priorityPolicy(PriorityPolicy.PinnedClient).priorityTimeout(60_000);
        ConsumerContext d = consumer(connection, 5, config);
        List<Long> seen = Collections.synchronizedList(new ArrayList<>());
        ConsumeOptions options = ConsumeOptions.builder().batchSize(10).expiresIn(2000).group("g").build();
        MessageConsumer first = d.consume(options, m -> {
            m.ack();
            seen.add(m.metaData().streamSequence());
        });
        Checks.eventually("five messages", () -> seen.size() == 5);
        Checks.holds("one is pinned", d.getConsumerInfo().getPriorityGroupStates().get(0).getPinnedClientId() != null);
        first.close();
        List<Long> other = Collections.synchronizedList(new ArrayList<>());
        MessageConsumer second = connection.getConsumerContext("S", "d").consume(options, m -> {
            m.ack();
            other.add(m.metaData().streamSequence());
        });
        Checks.same(true, d.unpin("g"));
        publish(connection, 3);
        Checks.eventually("three more", () -> other.size() == 3);
        second.close();
    }

    private static void pause(Connection connection, Server server) throws Exception {
        ConsumerContext d = consumer(connection, 5, durable());
        JetStreamManagement manage = connection.jetStreamManagement();
        Checks.same(true, manage.pauseConsumer("S", "d", ZonedDateTime.now().plusMinutes(1)).isPaused());
        Checks.same(List.of(), take(d, upTo(5).build()));
        ConsumerInfo info = d.getConsumerInfo();
        Checks.holds("a minute at most", info.getPaused() && info.getPauseRemaining().toMillis() <= 60_000);
        Checks.same(true, manage.resumeConsumer("S", "d"));
        Checks.same(numbers(1, 5), take(d, upTo(5).build()));
        manage.resetConsumer("S", "d", 4);
        Checks.same(numbers(4, 5), take(d, upTo(5).build()));
        Checks.refused(10014, "consumer not found", () -> manage.getConsumerInfo("S", "nobody"));
    }
}
