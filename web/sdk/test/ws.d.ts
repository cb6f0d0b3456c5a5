declare module 'ws' {
  export class WebSocket extends EventTarget {
    constructor(url: string, protocols?: string[]);
  }
}
