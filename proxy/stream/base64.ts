/** Base64 as SASL in XMPP uses it (RFC 6120 section 6.4.2, RFC 4648 section 4). */

const strict = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Decodes; undefined when it is not base64 with its padding. White space is skipped: no decoder makes something else of
 * it, it either skips it too or refuses. Anything laxer could be read differently by the server behind us.
 */
export function decodeBase64(text: string): Buffer | undefined {
  const packed = text.replace(/[\t\n\r ]+/g, '');
  return strict.test(packed) ? Buffer.from(packed, 'base64') : undefined;
}

/** The text of an `<auth/>` or `<response/>`: '=' stands for "present and empty", nothing at all for "absent". */
export function decodeSaslText(text: string): { data: Buffer | undefined } | undefined {
  const packed = text.replace(/[\t\n\r ]+/g, '');
  if (packed === '') return { data: undefined };
  if (packed === '=') return { data: Buffer.alloc(0) };
  const data = decodeBase64(packed);
  return data === undefined ? undefined : { data };
}

/** Encodes for an `<auth/>`, where an empty initial response has to be told from none. */
export function encodeInitial(data: Buffer | undefined): string {
  if (data === undefined) return '';
  return data.length === 0 ? '=' : data.toString('base64');
}

/** UTF-8 text of these bytes, a leading U+FEFF kept; undefined when they are not UTF-8. */
export function decodeUtf8(data: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    return undefined;
  }
}
