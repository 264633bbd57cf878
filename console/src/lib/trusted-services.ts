// The AWS services that a new role can trust, by the names of AWS's console. Any other one can be
// named by its principal.

export interface TrustedService {
  label: string;
  principal: string;
}

/** The service whose roles are used through instance profiles. */
export const EC2 = 'ec2.amazonaws.com';

const service = (label: string, name: string): TrustedService => ({
  label,
  principal: `${name}.amazonaws.com`,
});

export const COMMON_SERVICES: readonly TrustedService[] = [
  service('EC2', 'ec2'),
  service('Lambda', 'lambda'),
];

export const OTHER_SERVICES: readonly TrustedService[] = [
  service('API Gateway', 'apigateway'),
  service('AppSync', 'appsync'),
  service('AWS Backup', 'backup'),
  service('Batch', 'batch'),
  service('Bedrock', 'bedrock'),
  service('CloudFormation', 'cloudformation'),
  service('CloudTrail', 'cloudtrail'),
  service('CodeBuild', 'codebuild'),
  service('CodeDeploy', 'codedeploy'),
  service('CodePipeline', 'codepipeline'),
  service('Config', 'config'),
  service('Data Firehose', 'firehose'),
  service('DataSync', 'datasync'),
  service('DMS', 'dms'),
  service('EKS', 'eks'),
  service('EKS Pod Identity', 'pods.eks'),
  service('Elastic Beanstalk', 'elasticbeanstalk'),
  service('Elastic Container Service', 'ecs'),
  service('Elastic Container Service Task', 'ecs-tasks'),
  service('EMR', 'elasticmapreduce'),
  service('EventBridge', 'events'),
  service('EventBridge Scheduler', 'scheduler'),
  service('Glue', 'glue'),
  service('IAM Roles Anywhere', 'rolesanywhere'),
  service('IoT', 'iot'),
  service('Kinesis Analytics', 'kinesisanalytics'),
  service('RDS Enhanced Monitoring', 'monitoring.rds'),
  service('Redshift', 'redshift'),
  service('S3', 's3'),
  service('S3 Batch Operations', 'batchoperations.s3'),
  service('SageMaker', 'sagemaker'),
  service('SNS', 'sns'),
  service('Step Functions', 'states'),
  service('Systems Manager', 'ssm'),
  service('Transfer', 'transfer'),
  service('VPC Flow Logs', 'vpc-flow-logs'),
];
