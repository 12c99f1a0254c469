// Java 17 or later, without libraries.
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;

public class Receiver {
    // All Ed25519 keys begin with these bytes in DER.
    private static final byte[] PREFIX = HexFormat.of().parseHex("302a300506032b6570032100");

    static PublicKey key(String text) throws GeneralSecurityException {
        var der = new ByteArrayOutputStream();
        der.writeBytes(PREFIX);
        der.writeBytes(Base64.getDecoder().decode(text.replace("whpk_", "")));
        return KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(der.toByteArray()));
    }

    static boolean isValid(PublicKey key, byte[] body, Headers headers) {
        var timestamp = headers.getFirst("webhook-timestamp");
        var signatures = headers.getFirst("webhook-signature");
        if (timestamp == null || !timestamp.matches("[0-9]{1,12}") || signatures == null) return false;
        var age = Instant.now().getEpochSecond() - Long.parseLong(timestamp);
        if (Math.abs(age) > 300) return false;
        var start = (headers.getFirst("webhook-id") + "." + timestamp + ".").getBytes();
        for (var signature : signatures.split(" ")) {
            if (signature.startsWith("v1a,") && isSignature(signature.substring(4), key, start, body)) return true;
        }
        return false;
    }

    static boolean isSignature(String text, PublicKey key, byte[] start, byte[] body) {
        try {
            var verifier = Signature.getInstance("Ed25519");
            verifier.initVerify(key);
            verifier.update(start);
            verifier.update(body);
            return verifier.verify(Base64.getDecoder().decode(text));
        } catch (GeneralSecurityException | IllegalArgumentException exception) {
            return false;
        }
    }

    public static void main(String[] arguments) throws Exception {
        var key = key(System.getenv("WEBHOOK_PUBLIC_KEY")); // whpk_…
        var server = HttpServer.create(new InetSocketAddress(3000), 0);
        server.createContext("/webhooks", exchange -> {
            var body = exchange.getRequestBody().readAllBytes();
            var isValid = isValid(key, body, exchange.getRequestHeaders());
            if (isValid) System.out.println(new String(body));
            exchange.sendResponseHeaders(isValid ? 204 : 400, -1);
            exchange.close();
        });
        server.start();
    }
}
