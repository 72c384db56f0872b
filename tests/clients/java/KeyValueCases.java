// Key-value buckets with jnats. Never looks at the stream below one.

import io.nats.client.Connection;
import io.nats.client.KeyValue;
import io.nats.client.KeyValueManagement;
import io.nats.client.MessageTtl;
import io.nats.client.api.KeyResult;
import io.nats.client.api.KeyValueConfiguration;
import io.nats.client.api.KeyValueEntry;
import io.nats.client.api.KeyValuePurgeOptions;
import io.nats.client.api.KeyValueStatus;
import io.nats.client.api.KeyValueWatchOption;
import io.nats.client.api.KeyValueWatcher;
import io.nats.client.api.Mirror;
import io.nats.client.api.Source;
import io.nats.client.api.StorageType;
import io.nats.client.api.SubjectTransform;
import io.nats.client.impl.NatsKeyValueWatchSubscription;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

final class KeyValueCases {
    public static void main(String[] arguments) {
        new Checks()
            .add("keys_and_revisions", KeyValueCases::revisions)
            .add("only_if_nothing_came_between", KeyValueCases::compared)
            .add("keys_by_filters", KeyValueCases::filters)
            .add("watch", KeyValueCases::watch)
            .add("watch_options", KeyValueCases::watchOptions)
            .add("watch_several_keys_and_from_a_revision", KeyValueCases::watchSome)
            .add("what_ends_on_its_own_is_told", KeyValueCases::ends)
            .add("deletes_are_purged", KeyValueCases::purges)
            .add("mirrored_and_sourced_buckets", KeyValueCases::copies)
            .add("a_bucket_is_changed", KeyValueCases::management)
            .add("a_bucket_outlives_the_process", KeyValueCases::restart)
            .run();
    }

    /** What a watcher was told, and `end` after what was there. */
    private static final class Seen implements KeyValueWatcher {
        final List<String> all = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void watch(KeyValueEntry entry) {
            String value = entry.getValueAsString();
            all.add(entry.getKey() + " " + entry.getOperation() + " " + entry.getRevision() + (value == null ? "" : " " + value));
        }

        @Override
        public void endOfData() {
            all.add("end");
        }

        void expect(String... wanted) throws Exception {
            Checks.eventually(wanted.length + " entries", () -> all.size() >= wanted.length);
            Checks.same(List.of(wanted), List.copyOf(all));
        }
    }

    private static KeyValue bucket(Connection connection, String name, int history) throws Exception {
        KeyValueConfiguration wanted = KeyValueConfiguration.builder().name(name).maxHistoryPerKey(history).build();
        connection.keyValueManagement().create(wanted);
        return connection.keyValue(name);
    }

    private static void revisions(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 3);
        for (int n = 1; n <= 4; n += 1) {
            Checks.same((long) n, kv.put("k", "" + n));
        }
        Checks.same("4", kv.get("k").getValueAsString());
        Checks.same("3", kv.get("k", 3).getValueAsString());
        Checks.same(null, kv.get("k", 1));
        Checks.same(5L, kv.put("other", 7));
        Checks.same(7L, kv.get("other").getValueAsLong());
        Checks.same(null, kv.get("k", 5));
        Checks.same(List.of(2L, 3L, 4L), kv.history("k").stream().map(KeyValueEntry::getRevision).toList());
        kv.delete("k");
        Checks.same(null, kv.get("k"));
        Checks.same(List.of("other"), kv.keys());
        kv.purge("k");
        Checks.same(List.of("PURGE"), kv.history("k").stream().map(e -> e.getOperation().toString()).toList());
        KeyValueStatus status = kv.getStatus();
        Checks.same(List.of(3L, 2L), List.of(status.getMaxHistoryPerKey(), status.getEntryCount()));
    }

    private static void compared(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 5);
        Checks.same(1L, kv.create("k", new byte[1]));
        Checks.refused(10071, "wrong last sequence: 1", () -> kv.create("k", new byte[1]));
        Checks.same(2L, kv.update("k", "z", 1));
        Checks.refused(10071, "wrong last sequence: 2", () -> kv.update("k", "z", 1));
        Checks.refused(10071, "wrong last sequence: 2", () -> kv.delete("k", 1));
        kv.delete("k", 2);
        Checks.same(4L, kv.create("k", new byte[1]));
        Checks.refused(10071, "wrong last sequence: 4", () -> kv.purge("k", 3));
        kv.purge("k", 4);
        Checks.same(1, kv.history("k").size());
        Checks.refused(10071, "wrong last sequence: 0", () -> kv.update("none", "z", 9));
        Checks.refused(10166, "per-message TTL is disabled", () -> kv.create("brief", new byte[1], MessageTtl.seconds(1)));
    }

    private static void filters(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 1);
        for (String key : List.of("a.1", "a.2", "b.1", "b.2.x", "c")) {
            kv.put(key, key);
        }
        kv.delete("a.2");
        Checks.same(List.of("a.1"), kv.keys("a.*"));
        Checks.same(List.of("a.1", "b.1", "b.2.x"), sorted(kv.keys(List.of("a.>", "b.>"))));
        Checks.same(List.of(), kv.keys("d.*"));
        LinkedBlockingQueue<KeyResult> queue = kv.consumeKeys(List.of("b.*", "c"));
        List<String> told = new ArrayList<>();
        for (KeyResult one = queue.poll(Checks.WAIT_MS, TimeUnit.MILLISECONDS); one.isKey(); ) {
            told.add(one.getKey());
            one = queue.poll(Checks.WAIT_MS, TimeUnit.MILLISECONDS);
        }
        Checks.same(List.of("b.1", "c"), sorted(told));
    }

    private static List<String> sorted(List<String> keys) {
        return keys.stream().sorted().toList();
    }

    private static void watch(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 1);
        kv.put("a.1", "x");
        Seen seen = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watch("a.*", seen)) {
            seen.expect("a.1 PUT 1 x", "end");
            kv.put("b.1", "x");
            kv.purge("a.1");
            seen.expect("a.1 PUT 1 x", "end", "a.1 PURGE 3");
        }
    }

    private static void watchOptions(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 5);
        kv.put("a", "1");
        kv.put("a", "2");
        kv.put("b", "3");
        kv.delete("b");
        told(kv, List.of("a PUT 2 2", "b DELETE 4", "end"));
        told(kv, List.of("a PUT 2 2", "end"), KeyValueWatchOption.IGNORE_DELETE);
        told(kv, List.of("a PUT 2", "b DELETE 4", "end"), KeyValueWatchOption.META_ONLY);
        told(kv, List.of("a PUT 1 1", "a PUT 2 2", "b PUT 3 3", "b DELETE 4", "end"), KeyValueWatchOption.INCLUDE_HISTORY);
        Seen seen = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watchAll(seen, KeyValueWatchOption.UPDATES_ONLY)) {
            kv.put("c", "5");
            Checks.eventually("the update", () -> seen.all.contains("c PUT 5 5"));
            Checks.holds("nothing of before", seen.all.stream().noneMatch(told -> told.startsWith("a") || told.startsWith("b")));
        }
    }

    private static void told(KeyValue kv, List<String> wanted, KeyValueWatchOption... options) throws Exception {
        Seen seen = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watchAll(seen, options)) {
            seen.expect(wanted.toArray(new String[0]));
        }
    }

    private static void watchSome(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 5);
        for (String key : List.of("a", "b", "c", "a", "b", "c")) {
            kv.put(key, "x");
        }
        Seen several = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watch(List.of("a", "c"), several)) {
            several.expect("a PUT 4 x", "c PUT 6 x", "end");
        }
        Seen later = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watchAll(later, 4, KeyValueWatchOption.INCLUDE_HISTORY)) {
            later.expect("a PUT 4 x", "b PUT 5 x", "c PUT 6 x", "end");
        }
    }

    private static void ends(Connection connection, Server server) throws Exception {
        connection.keyValueManagement().create(
            KeyValueConfiguration.builder().name("b").maxHistoryPerKey(5).limitMarker(Duration.ofSeconds(1)).build());
        KeyValue kv = connection.keyValue("b");
        Checks.same(Duration.ofSeconds(1), kv.getStatus().getLimitMarkerTtl());
        kv.put("purged", "x");
        kv.put("stays", "x");
        Seen seen = new Seen();
        try (NatsKeyValueWatchSubscription watching = kv.watchAll(seen, KeyValueWatchOption.UPDATES_ONLY)) {
            kv.create("brief", new byte[] {'1'}, MessageTtl.seconds(1));
            kv.purge("purged", MessageTtl.seconds(1));
            Checks.eventually("the end of the brief", () -> seen.all.stream().anyMatch(told -> told.startsWith("brief PURGE")));
            Checks.eventually("the purge's own end", () -> kv.history("purged").isEmpty());
            Checks.eventually("the mark's own end", () -> kv.history("brief").isEmpty());
            Checks.same(List.of("stays"), kv.keys());
            Checks.same(1L, kv.getStatus().getEntryCount());
        }
    }

    private static void purges(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 5);
        for (String key : List.of("a", "b", "c")) {
            kv.put(key, "1");
            kv.put(key, "2");
        }
        kv.delete("a");
        kv.delete("b");
        // Marks younger than the threshold, which is half an hour, stay.
        kv.purgeDeletes();
        Checks.same(List.of(1, 1, 2), List.of(kv.history("a").size(), kv.history("b").size(), kv.history("c").size()));
        kv.purgeDeletes(KeyValuePurgeOptions.builder().deleteMarkersNoThreshold().build());
        Checks.same(List.of(0, 0, 2), List.of(kv.history("a").size(), kv.history("b").size(), kv.history("c").size()));
    }

    private static void copies(Connection connection, Server server) throws Exception {
        KeyValue one = bucket(connection, "one", 3);
        KeyValue two = bucket(connection, "two", 3);
        KeyValueManagement manage = connection.keyValueManagement();
        one.put("a", "1");
        two.put("b", "2");
        // This client reads a copy by its own name.
        Mirror mirror = Mirror.builder().name("one")
            .subjectTransforms(SubjectTransform.builder().source("$KV.one.>").destination("$KV.mirrored.>").build()).build();
        manage.create(KeyValueConfiguration.builder().name("mirrored").mirror(mirror).build());
        manage.create(KeyValueConfiguration.builder().name("sourced").sources(renamed("one"), renamed("two")).build());
        KeyValue mirrored = connection.keyValue("mirrored");
        KeyValue sourced = connection.keyValue("sourced");
        Checks.eventually("the mirror", () -> mirrored.get("a") != null);
        Checks.eventually("both sources", () -> sorted(sourced.keys()).equals(List.of("a", "b")));
        // What is put into a mirror goes to its origin.
        mirrored.put("c", "3");
        // The mirror answers for its origin as well, and may not have it yet.
        Checks.eventually("the way there", () -> holds(one, "c", "3"));
        Checks.eventually("the way back", () -> holds(mirrored, "c", "3"));
        Checks.same(List.of("a", "c"), sorted(mirrored.keys()));
        one.delete("a");
        Checks.eventually("what is gone", () -> mirrored.get("a") == null && sourced.get("a") == null);
        Checks.same(List.of("mirrored", "one", "sourced", "two"), sorted(manage.getBucketNames()));
    }

    private static boolean holds(KeyValue bucket, String key, String value) throws Exception {
        KeyValueEntry entry = bucket.get(key);
        return entry != null && value.equals(entry.getValueAsString());
    }

    private static Source renamed(String bucket) {
        SubjectTransform names = SubjectTransform.builder()
            .source("$KV." + bucket + ".>").destination("$KV.sourced.>").build();
        return Source.builder().name(bucket).subjectTransforms(names).build();
    }

    private static void management(Connection connection, Server server) throws Exception {
        KeyValueManagement manage = connection.keyValueManagement();
        KeyValueConfiguration small = KeyValueConfiguration.builder().name("b").description("d")
            .maximumValueSize(10).maxBucketSize(100_000).storageType(StorageType.Memory).build();
        manage.create(small);
        KeyValue kv = connection.keyValue("b");
        kv.put("k", "0123456789");
        Checks.refused(10054, "message size exceeds maximum allowed", () -> kv.put("k", "0123456789a"));
        manage.update(KeyValueConfiguration.builder(small).maximumValueSize(11).ttl(Duration.ofHours(1)).build());
        kv.put("k", "0123456789a");
        KeyValueStatus status = manage.getStatus("b");
        Checks.same(List.of("d", Duration.ofHours(1)), List.of(status.getDescription(), status.getTtl()));
        Checks.same(List.of(100_000L, 11), List.of(status.getMaxBucketSize(), status.getMaximumValueSize()));
        Checks.refused(10058, "stream name already in use with a different configuration", () -> manage.create(small));
        Checks.same(1, manage.getStatuses().size());
        manage.delete("b");
        Checks.refused(10059, "stream not found", () -> manage.getStatus("b"));
        Checks.refused(10059, "stream not found", () -> manage.delete("b"));
    }

    private static void restart(Connection connection, Server server) throws Exception {
        KeyValue kv = bucket(connection, "b", 3);
        for (int n = 1; n <= 20; n += 1) {
            kv.put("key." + n % 4, "" + n);
        }
        kv.delete("key.3");
        String port = server.port();
        server.kill();
        server.start(port);
        Checks.eventually("the server", () -> connection.getStatus() == Connection.Status.CONNECTED);
        Checks.same(List.of("key.0", "key.1", "key.2"), sorted(kv.keys()));
        Checks.same(List.of("12", "16", "20"), kv.history("key.0").stream().map(KeyValueEntry::getValueAsString).toList());
        Checks.refused(10071, "wrong last sequence: 21", () -> kv.update("key.3", "z", 19));
        Checks.same(22L, kv.create("key.3", new byte[1]));
    }
}
