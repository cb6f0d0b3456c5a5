import { after, before } from 'node:test';
import type { Client } from '../src/index.js';
import { Proxy } from './proxy.js';
import { Server } from './server.js';

/** A server, a proxy before it, and clients that are closed before they are: for all tests of a file. */
export class Stage {
  server!: Server;
  proxy!: Proxy;
  readonly clients: Client[] = [];

  constructor() {
    before(async () => {
      // A list that leads nowhere: otherwise a client would go around the proxy.
      this.server = await Server.start('--http.advertise', '127.0.0.1:9');
      this.proxy = await Proxy.start(this.server.port);
    });
    after(async () => {
      for (const c of this.clients) await c.close();
      this.proxy.close();
      await this.server.remove();
    });
  }
}
