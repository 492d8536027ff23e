/** Starts the server, and ends it on SIGTERM and SIGINT without losing an accepted frame. */
import { createServer } from './server';
import { readSettings } from './settings';

const HELP = `Usage: npm run server

Simulates the sources of spikes of each WebSocket that connects. examples/server/README.md tells the
protocol, the endpoints, and the environment variables (EXPSYN_SERVER_PORT, ..._TOKEN and so on).`;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(HELP);
    return;
  }
  const settings = readSettings(process.env);
  const { app, shutDown } = await createServer(settings);
  let isEnding = false;
  const end = (signal: NodeJS.Signals) => {
    if (isEnding) return;
    isEnding = true;
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
