/** A registry for one check: it has the packed package, and refers to another registry for all others. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { root } from '../../setup/run.mjs';

/** Serves while `work(address)` runs. Resolves to what it resolves to. */
export async function withRegistry(tarball, others, work) {
  const content = readFileSync(tarball);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const server = createServer((request, response) => {
    if (request.url === '/package.tgz') response.end(content);
    else if (request.url === `/${manifest.name}`) {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(describePackage(manifest, content, addressOf(server))));
    } else {
      response.writeHead(307, { location: new URL(request.url.slice(1), others).href }).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await work(addressOf(server));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function addressOf(server) {
  return `http://127.0.0.1:${server.address().port}/`;
}

/** What a registry says of a package that has one version. */
function describePackage(manifest, content, address) {
  const { name, version } = manifest;
  const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
  const shasum = createHash('sha1').update(content).digest('hex');
  const dist = { tarball: `${address}package.tgz`, integrity, shasum };
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist } },
  };
}
