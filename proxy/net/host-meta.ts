/** Where web clients find the WebSocket endpoint, XEP-0156 section 3. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { escapeXml } from '../xml/text.ts';

/** Relation of a link to a WebSocket endpoint. */
const RELATION = 'urn:xmpp:alt-connections:websocket';
const XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';

/**
 * Answers a request for `/.well-known/host-meta` or `host-meta.json`, from any origin. False: it asks for something else.
 */
export function answerHostMeta(request: IncomingMessage, response: ServerResponse, endpoint: string): boolean {
  const [path] = (request.url ?? '').split('?');
  if (path !== '/.well-known/host-meta' && path !== '/.well-known/host-meta.json') return false;
  response.setHeader('Access-Control-Allow-Origin', '*');
  if (request.method === 'OPTIONS') {
    response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, OPTIONS');
    response.writeHead(204).end();
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD, OPTIONS');
    response.writeHead(405).end();
  } else if (path.endsWith('.json')) {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ links: [{ rel: RELATION, href: endpoint }] }));
  } else {
    response.setHeader('Content-Type', 'application/xrd+xml');
    response.end(
      `<?xml version='1.0' encoding='UTF-8'?>\n` +
        `<XRD xmlns='${XRD}'><Link rel='${RELATION}' href='${escapeXml(endpoint)}'/></XRD>\n`,
    );
  }
  return true;
}
