import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.rmi.server.RMISocketFactory;
import java.util.Arrays;

/**
 * Runs the main method of the class that the first argument names, with the
 * other arguments. Its RMI listens on the loopback address only. (TLC exports
 * objects by RMI even where it has no worker processes.)
 *
 * Loopback.class is compiled from this file by
 *
 *     go test ./tla/tlc -run Golden -update
 */
public final class Loopback extends RMISocketFactory {
    @Override
    public ServerSocket createServerSocket(int port) throws IOException {
        return new ServerSocket(port, 0, InetAddress.getByName("127.0.0.1"));
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        return new Socket(host, port);
    }

    public static void main(String[] args) throws Throwable {
        RMISocketFactory.setSocketFactory(new Loopback());
        String[] rest = Arrays.copyOfRange(args, 1, args.length);
        try {
            Class.forName(args[0]).getMethod("main", String[].class).invoke(null, (Object) rest);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }
}
