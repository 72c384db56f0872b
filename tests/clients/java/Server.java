// A server process with its own store folder. Never speaks the protocol.

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

final class Server implements AutoCloseable {
    private static final long START_MS = 60_000;
    private static final Pattern URL = Pattern.compile("\"nats\":\\s*\\[\\s*\"([^\"]+)\"");

    private final Path folder = Files.createTempDirectory("natterjack-java-");
    private Process process;
    /** Where clients connect. */
    String url;

    Server() throws Exception {
        start("-1");
    }

    /** Starts, or starts again on the same store; the port is a free one where it is -1. */
    void start(String port) throws Exception {
        String binary = System.getenv("NATTERJACK_SERVER");
        if (binary == null) {
            throw new IllegalStateException("set NATTERJACK_SERVER to the server under test");
        }
        List<String> command = new ArrayList<>(List.of(binary, "-a", "127.0.0.1", "-p", port, "-js"));
        command.addAll(List.of("-sd", folder.resolve("store").toString()));
        command.addAll(List.of("--ports_file_dir", folder.toString(), "-l", folder.resolve("server.log").toString()));
        process = new ProcessBuilder(command)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
        Checks.eventually("the ports file", START_MS, this::readUrl);
    }

    private boolean readUrl() throws IOException {
        if (!process.isAlive()) {
            throw new IllegalStateException(Files.readString(folder.resolve("server.log")));
        }
        try (var files = Files.newDirectoryStream(folder, "*_" + process.pid() + ".ports")) {
            for (Path file : files) {
                Matcher found = URL.matcher(Files.readString(file));
                if (found.find()) {
                    url = found.group(1);
                    return true;
                }
            }
        }
        return false;
    }

    String port() {
        return url.substring(url.lastIndexOf(':') + 1);
    }

    /** As kill -9 does. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() throws Exception {
        kill();
        try (var paths = Files.walk(folder)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
