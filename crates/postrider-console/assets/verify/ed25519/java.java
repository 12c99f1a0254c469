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
        try {
            var timestamp = headers.getFirst("webhook-timestamp");
            var age = Instant.now().getEpochSecond() - Long.parseLong(timestamp);
            if (Math.abs(age) > 300) return false;
            var start = headers.getFirst("webhook-id") + "." + timestamp + ".";
            for (var signature : headers.getFirst("webhook-signature").split(" ")) {
                if (!signature.startsWith("v1a,")) continue;
                var verifier = Signature.getInstance("Ed25519");
                verifier.initVerify(key);
                verifier.update(start.getBytes());
                verifier.update(body);
                if (verifier.verify(Base64.getDecoder().decode(signature.substring(4)))) return true;
            }
            return false;
        } catch (GeneralSecurityException | RuntimeException exception) {
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
