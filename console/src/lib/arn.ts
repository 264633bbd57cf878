// Amazon Resource Names.

/** The part of an ARN after the account: `user/ann`. */
export const shortPrincipal = (arn: string): string => arn.split(':').slice(5).join(':') || arn;
