// Streams, publishing and both stores with jnats. Never takes from a consumer.

import io.nats.client.Connection;
import io.nats.client.JetStream;
import io.nats.client.JetStreamManagement;
import io.nats.client.KeyValue;
import io.nats.client.ObjectStore;
import io.nats.client.PublishOptions;
import io.nats.client.PurgeOptions;
import io.nats.client.api.AccountStatistics;
import io.nats.client.api.DiscardPolicy;
import io.nats.client.api.KeyValueConfiguration;
import io.nats.client.api.KeyValueEntry;
import io.nats.client.api.KeyValueOperation;
import io.nats.client.api.KeyValueWatcher;
import io.nats.client.api.ObjectInfo;
import io.nats.client.api.ObjectStoreConfiguration;
import io.nats.client.api.PublishAck;
import io.nats.client.api.StorageType;
import io.nats.client.api.StreamConfiguration;
import io.nats.client.api.StreamInfo;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;

final class StreamCases {
    public static void main(String[] arguments) {
        new Checks()
            .add("stream_life", StreamCases::life)
            .add("publish_expectations", StreamCases::expectations)
            .add("get_delete_and_purge", StreamCases::messages)
            .add("limits", StreamCases::limits)
            .add("account_info_counts", StreamCases::account)
            .add("keys_and_revisions", StreamCases::keys)
            .add("watch", StreamCases::watch)
            .add("objects", StreamCases::objects)
            .run();
    }

    private static StreamConfiguration.Builder stream() {
        return StreamConfiguration.builder().name("S").subjects("s.*").storageType(StorageType.File);
    }

    private static void life(Connection connection, Server server) throws Exception {
        JetStreamManagement manage = connection.jetStreamManagement();
        manage.addStream(stream().build());
        for (int n = 1; n <= 20; n += 1) {
            Checks.same((long) n, connection.jetStream().publish("s.a", new byte[n]).getSeqno());
        }
        StreamInfo changed = manage.updateStream(stream().subjects("s.*", "t").maxMessages(10).build());
        Checks.same(List.of(10L, 11L), List.of(changed.getStreamState().getMsgCount(), changed.getStreamState().getFirstSequence()));
        Checks.same(List.of("S"), manage.getStreamNames("t"));
        Checks.refused(10065, "subjects overlap with an existing stream",
            () -> manage.addStream(StreamConfiguration.builder().name("T").subjects("s.x").build()));
        Checks.same(true, manage.deleteStream("S"));
        Checks.refused(10059, "stream not found", () -> manage.getStreamInfo("S"));
    }

    private static void expectations(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().build());
        JetStream js = connection.jetStream();
        PublishOptions id = PublishOptions.builder().messageId("a").build();
        PublishAck first = js.publish("s.a", null, id);
        PublishAck again = js.publish("s.a", null, id);
        Checks.same("1 false 1 true", first.getSeqno() + " " + first.isDuplicate() + " " + again.getSeqno() + " " + again.isDuplicate());
        Checks.refused(10071, "wrong last sequence: 1",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedLastSequence(7).build()));
        Checks.refused(10070, "wrong last msg ID: a",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedLastMsgId("b").build()));
        Checks.refused(10060, "expected stream does not match",
            () -> js.publish("s.a", null, PublishOptions.builder().expectedStream("T").build()));
        PublishOptions right = PublishOptions.builder().expectedLastSequence(1).expectedLastSubjectSequence(1).build();
        Checks.same(2L, js.publish("s.a", null, right).getSeqno());
    }

    private static void messages(Connection connection, Server server) throws Exception {
        JetStreamManagement manage = connection.jetStreamManagement();
        manage.addStream(stream().allowDirect(true).build());
        for (int n = 1; n < 10; n += 1) {
            connection.jetStream().publish("s." + n % 3, new byte[n]);
        }
        Checks.same("s.1", manage.getMessage("S", 4).getSubject());
        Checks.same(8L, manage.getLastMessage("S", "s.2").getSeq());
        Checks.same(6L, manage.getNextMessage("S", 5, "s.0").getSeq());
        Checks.same(true, manage.deleteMessage("S", 4));
        Checks.refused(10037, "no message found", () -> manage.getMessage("S", 4));
        Checks.same(2L, manage.purgeStream("S", PurgeOptions.builder().subject("s.0").keep(1).build()).getPurged());
        Checks.same(6L, manage.getStreamInfo("S").getStreamState().getMsgCount());
    }

    private static void limits(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().maxMessages(2).discardPolicy(DiscardPolicy.New).build());
        JetStream js = connection.jetStream();
        js.publish("s.a", null);
        js.publish("s.a", null);
        Checks.refused(10077, "maximum messages exceeded", () -> js.publish("s.a", null));
    }

    private static void account(Connection connection, Server server) throws Exception {
        connection.jetStreamManagement().addStream(stream().build());
        AccountStatistics account = connection.jetStreamManagement().getAccountStatistics();
        Checks.same(List.of(1L, 0L, -1L), List.of(account.getStreams(), account.getConsumers(), account.getLimits().getMaxStreams()));
    }

    private static void keys(Connection connection, Server server) throws Exception {
        connection.keyValueManagement().create(KeyValueConfiguration.builder().name("b").maxHistoryPerKey(3).build());
        KeyValue kv = connection.keyValue("b");
        for (int n = 1; n <= 4; n += 1) {
            Checks.same((long) n, kv.put("k", "" + n));
        }
        Checks.same("4", kv.get("k").getValueAsString());
        Checks.same(3, kv.history("k").size());
        Checks.same(5L, kv.create("new", new byte[1]));
        Checks.refused(10071, "wrong last sequence: 5", () -> kv.create("new", new byte[1]));
        Checks.same(6L, kv.update("new", "z", 5));
        Checks.refused(10071, "wrong last sequence: 6", () -> kv.update("new", "z", 5));
        kv.delete("k");
        Checks.same(null, kv.get("k"));
        Checks.same(List.of("new"), kv.keys());
        kv.purgeDeletes();
        Checks.same(3L, kv.getStatus().getMaxHistoryPerKey());
    }

    private static void watch(Connection connection, Server server) throws Exception {
        connection.keyValueManagement().create(KeyValueConfiguration.builder().name("b").build());
        KeyValue kv = connection.keyValue("b");
        kv.put("a.1", "x");
        List<String> seen = Collections.synchronizedList(new ArrayList<>());
        try (var watching = kv.watch("a.*", new KeyValueWatcher() {
            @Override
            public void watch(KeyValueEntry entry) {
                seen.add(entry.getKey() + " " + entry.getOperation());
            }

            @Override
            public void endOfData() {
                seen.add("end");
            }
        })) {
            Checks.eventually("what is there", () -> seen.size() == 2);
            kv.put("b.1", "x");
            kv.purge("a.1");
            Checks.eventually("what comes", () -> seen.size() == 3);
            Checks.same(List.of("a.1 PUT", "end", "a.1 " + KeyValueOperation.PURGE), seen);
        }
    }

    private static void objects(Connection connection, Server server) throws Exception {
        connection.objectStoreManagement().create(ObjectStoreConfiguration.builder("o").build());
        ObjectStore store = connection.objectStore("o");
        byte[] body = new byte[3 * 128 * 1024 + 5];
        new Random(7).nextBytes(body);
        ObjectInfo info = store.put("x", body);
        Checks.same(4L, info.getChunks());
        ByteArrayOutputStream read = new ByteArrayOutputStream();
        store.get("x", read);
        Checks.holds("the same bytes", Arrays.equals(body, read.toByteArray()));
        store.addLink("l", info);
        Checks.same(2, store.getList().size());
        Checks.same(true, store.delete("x").isDeleted());
        Checks.same(true, store.seal().isSealed());
        Checks.refused(10109, "invalid operation on sealed stream", () -> store.put("z", body));
    }
}
