// The names of the operations that pages call.
import type * as iam from './generated/iam';
import type * as keywright from './generated/keywright';
import type { S3Operation } from './generated/s3';
import type * as sts from './generated/sts';

export type OperationName =
  keyof typeof iam | keyof typeof keywright | keyof typeof sts | S3Operation;
