declare module 'ws' {
  import type { SocketLike } from '../src/index.js';
  export const WebSocket: new (url: string, protocols: string[]) => SocketLike;
}
