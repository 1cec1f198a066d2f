/** The hash of an image file: what exact duplicates are told by. */
export const SHA256 = 'sha256';

/** What near-duplicates of an image are told by: a column of a source of images that prepared data leave out. */
export const FINGERPRINT = 'fingerprint';
