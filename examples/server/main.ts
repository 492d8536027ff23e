/** Starts the server. On SIGTERM and SIGINT, it ends without losing an accepted frame. */
import { createServer } from './server';
import { readSettings } from './settings';

const HELP = `Usage: npm run server

Computes synaptic currents for clients that send spikes by WebSocket. examples/server/README.md describes the
endpoints, the messages, and the environment variables, such as EXPSYN_SERVER_PORT and EXPSYN_SERVER_TOKEN.`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(HELP);
    return;
  }
  const settings = readSettings(process.env);
  const { app, shutDown } = await createServer(settings);
  let isShuttingDown = false;
  const end = (signal: NodeJS.Signals) => {
    if (isShuttingDown) return;
    isShuttingDown = true;
    app.log.info({ signal }, 'shutting down');
    shutDown().then(
      () => process.exit(0),
      (error: unknown) => {
        app.log.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  const address = await app.listen({ host: settings.host, port: settings.port });
  if (process.env['EXPSYN_SERVER_TOKEN'] === undefined) {
    console.log(`Open ${address}/?token=${settings.token}`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
