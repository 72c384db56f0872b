// Object stores with jnats. Never looks at the stream below one.

import io.nats.client.Connection;
import io.nats.client.ObjectStore;
import io.nats.client.api.ObjectInfo;
import io.nats.client.api.ObjectMeta;
import io.nats.client.api.ObjectStoreConfiguration;
import io.nats.client.api.ObjectStoreStatus;
import io.nats.client.api.ObjectStoreWatchOption;
import io.nats.client.api.ObjectStoreWatcher;
import io.nats.client.impl.Headers;
import io.nats.client.impl.NatsObjectStoreWatchSubscription;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;

final class ObjectCases {
    private static final int CHUNK = 128 * 1024;

    public static void main(String[] arguments) {
        new Checks()
            .add("chunks", ObjectCases::chunks)
            .add("replaced_deleted_and_listed", ObjectCases::lives)
            .add("what_is_said_of_an_object", ObjectCases::meta)
            .add("links", ObjectCases::links)
            .add("watch", ObjectCases::watch)
            .add("seal", ObjectCases::seal)
            .add("a_store_outlives_the_process", ObjectCases::restart)
            .run();
    }

    private static ObjectStore store(Connection connection, String name) throws Exception {
        connection.objectStoreManagement().create(ObjectStoreConfiguration.builder(name).build());
        return connection.objectStore(name);
    }

    private static byte[] bytes(int count) {
        byte[] body = new byte[count];
        new Random(count).nextBytes(body);
        return body;
    }

    private static byte[] read(ObjectStore store, String name) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        store.get(name, out);
        return out.toByteArray();
    }

    private static List<String> names(ObjectStore store) throws Exception {
        return store.getList().stream().map(ObjectInfo::getObjectName).sorted().toList();
    }

    private static void chunks(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        for (int size : List.of(0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5, 2 * 1024 * 1024)) {
            ObjectInfo info = store.put("x" + size, bytes(size));
            Checks.same(List.of((long) size, (long) (size + CHUNK - 1) / CHUNK), List.of(info.getSize(), info.getChunks()));
            Checks.holds(size + " bytes", Arrays.equals(bytes(size), read(store, "x" + size)));
        }
        ObjectMeta small = ObjectMeta.builder("small").chunkSize(100).build();
        ObjectInfo info = store.put(small, new ByteArrayInputStream(bytes(1001)));
        Checks.same(11L, info.getChunks());
        Checks.same(100, info.getObjectMeta().getObjectMetaOptions().getChunkSize());
        Checks.holds("eleven chunks", Arrays.equals(bytes(1001), read(store, "small")));
        Checks.same(info.getDigest(), store.getInfo("small").getDigest());
    }

    private static void lives(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        ObjectInfo first = store.put("x", bytes(10));
        ObjectInfo second = store.put("x", bytes(20));
        Checks.holds("another id", !first.getNuid().equals(second.getNuid()));
        store.put("y z/é", bytes(30));
        Checks.same(List.of("x", "y z/é"), names(store));
        long held = store.getStatus().getSize();
        Checks.same(true, store.delete("x").isDeleted());
        Checks.same(List.of("y z/é"), names(store));
        Checks.same(null, store.getInfo("x"));
        Checks.same(true, store.getInfo("x", true).isDeleted());
        Checks.eventually("room", () -> store.getStatus().getSize() < held);
        store.put("x", bytes(40));
        Checks.same(40L, store.getInfo("x").getSize());
        Checks.same(null, store.getInfo("none"));
    }

    private static void meta(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        Headers headers = new Headers().add("K", "v", "w");
        ObjectMeta said = ObjectMeta.builder("x").description("d").headers(headers).metadata(Map.of("m", "1")).build();
        store.put(said, new ByteArrayInputStream(bytes(5)));
        ObjectInfo info = store.getInfo("x");
        Checks.same(List.of("d", Map.of("m", "1")), List.of(info.getDescription(), info.getMetaData()));
        Checks.same(List.of("v", "w"), info.getHeaders().get("K"));
        store.updateMeta("x", ObjectMeta.builder("renamed").description("e").build());
        Checks.same(List.of("renamed"), names(store));
        Checks.same("e", store.getInfo("renamed").getDescription());
        Checks.holds("the same bytes", Arrays.equals(bytes(5), read(store, "renamed")));
        Checks.same(null, store.getInfo("x"));
    }

    private static void links(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        ObjectStore other = store(connection, "p");
        ObjectInfo info = store.put("x", bytes(7));
        ObjectInfo link = other.addLink("l", info);
        Checks.same(List.of(true, "o", "x"), List.of(link.isLink(), link.getLink().getBucket(), link.getLink().getObjectName()));
        Checks.holds("through the link", Arrays.equals(bytes(7), read(other, "l")));
        Checks.same(true, other.addBucketLink("whole", store).getLink().isBucketLink());
        Checks.same(List.of("l", "whole"), names(other));
        store.put("x", bytes(8));
        Checks.holds("the newer one", Arrays.equals(bytes(8), read(other, "l")));
    }

    private static void watch(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        store.put("a", bytes(1));
        store.put("b", bytes(1));
        store.delete("b");
        told(store, List.of("a", "b gone", "end"));
        told(store, List.of("a", "end"), ObjectStoreWatchOption.IGNORE_DELETE);
        told(store, List.of("a", "b gone", "end"), ObjectStoreWatchOption.INCLUDE_HISTORY);
        List<String> seen = new Seen().all;
        try (NatsObjectStoreWatchSubscription watching = store.watch(new Seen(seen), ObjectStoreWatchOption.UPDATES_ONLY)) {
            store.put("c", bytes(1));
            store.delete("a");
            Checks.eventually("both updates", () -> seen.containsAll(List.of("c", "a gone")));
            Checks.holds("nothing of before", !seen.contains("b gone"));
        }
    }

    /** What a watcher was told, and `end` after what was there. */
    private record Seen(List<String> all) implements ObjectStoreWatcher {
        Seen() {
            this(Collections.synchronizedList(new ArrayList<>()));
        }

        @Override
        public void watch(ObjectInfo info) {
            all.add(info.getObjectName() + (info.isDeleted() ? " gone" : ""));
        }

        @Override
        public void endOfData() {
            all.add("end");
        }
    }

    private static void told(ObjectStore store, List<String> wanted, ObjectStoreWatchOption... options) throws Exception {
        Seen seen = new Seen();
        try (NatsObjectStoreWatchSubscription watching = store.watch(seen, options)) {
            Checks.eventually(wanted.size() + " of them", () -> seen.all.size() >= wanted.size());
            Checks.same(wanted, List.copyOf(seen.all));
        }
    }

    private static void seal(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        store.put("x", bytes(3));
        ObjectStoreStatus sealed = store.seal();
        Checks.same(true, sealed.isSealed());
        Checks.refused(10109, "invalid operation on sealed stream", () -> store.put("z", bytes(1)));
        Checks.refused(10109, "invalid operation on sealed stream", () -> store.delete("x"));
        Checks.holds("read all the same", Arrays.equals(bytes(3), read(store, "x")));
        connection.objectStoreManagement().delete("o");
        Checks.refused(10059, "stream not found", () -> connection.objectStoreManagement().getStatus("o"));
    }

    private static void restart(Connection connection, Server server) throws Exception {
        ObjectStore store = store(connection, "o");
        store.put("x", bytes(3 * CHUNK + 5));
        store.put("y", bytes(5));
        store.delete("y");
        String port = server.port();
        server.kill();
        server.start(port);
        Checks.eventually("the server", () -> connection.getStatus() == Connection.Status.CONNECTED);
        Checks.same(List.of("x"), names(store));
        Checks.holds("the same bytes", Arrays.equals(bytes(3 * CHUNK + 5), read(store, "x")));
        Checks.same(true, store.getInfo("y", true).isDeleted());
    }
}
