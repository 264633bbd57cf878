//! Detection of imports, and the output for an operation.

use super::{Model, imports, render};

const MODEL: &str = r#"{
    "service": "iam", "api_version": "2010-05-08", "xml_namespace": "urn:x",
    "operations": {
        "ListUsers": {"input": "ListUsersRequest", "output": "ListUsersResponse"},
        "DeleteUser": {"input": "DeleteUserRequest"}
    },
    "shapes": {
        "ListUsersRequest": {"type": "structure", "members": [{"name": "Path", "shape": "text"}]},
        "ListUsersResponse": {"type": "structure", "members": [
            {"name": "Users", "shape": "users", "required": true},
            {"name": "Count", "shape": "count"}]},
        "DeleteUserRequest": {"type": "structure", "members": []},
        "users": {"type": "list", "member": "User"},
        "User": {"type": "structure", "members": [
            {"name": "UserName", "shape": "text", "required": true},
            {"name": "status", "shape": "statusType", "required": true}]},
        "statusType": {"type": "string", "enum": ["Active", "Inactive"]},
        "count": {"type": "integer"},
        "text": {"type": "string"}
    }
}"#;

#[test]
fn what_is_imported_is_found() {
    let sources = [
        "import { A } from 'x';\nimport {\n  ListUsers,\n  type User,\n} from '../api/generated/iam';\n",
        "import { GetUser as Get } from './generated/iam';\nimport { B } from './generated/s3';\n",
    ];
    let names = imports(&sources.map(str::to_owned), "iam");
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["GetUser", "ListUsers", "User"]
    );
}

#[test]
fn an_operation_has_its_types_and_what_reads_its_answer() {
    let model = Model::parse(MODEL).unwrap();
    let text = render(&model, &["ListUsers".to_owned()].into()).unwrap();
    assert!(!text.contains("DeleteUser"), "{text}");
    for part in [
        "export interface ListUsersRequest {\n  Path?: string | undefined;\n}",
        "export type StatusType =\n  | 'Active'\n  | 'Inactive';",
        "  Users: readonly User[];\n  Count?: number | undefined;\n",
        "const USER: Shape = {};\n",
        "const LIST_USERS_RESPONSE: Shape = {\n  Users: [USER],\n  Count: 'number',\n};\n",
        "export const ListUsers: Operation<ListUsersRequest, ListUsersResponse> = {",
        "answer: LIST_USERS_RESPONSE,",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
