// The strip under the bar at the top while the tab acts in a role: which one, until when.
import Box from '@cloudscape-design/components/box';
import Button from '@cloudscape-design/components/button';

import { timeUntil } from '../lib/age';
import { useNow } from '../lib/now';
import { roleLabel, type ActingRole } from '../lib/switch-role';
import './role-bar.css';

interface RoleBarProps {
  role: ActingRole;
  switchBack: () => void;
}

export function RoleBar({ role: { target, until }, switchBack }: RoleBarProps) {
  const now = useNow();
  return (
    <div
      className={`role-bar${target.color ? ` role-bar-${target.color}` : ''}`}
      role="region"
      aria-label="Role"
    >
      <Box variant="span" color="inherit">
        You are using the role <b>{roleLabel(target)}</b>. Its session ends {timeUntil(until, now)}.
      </Box>
      <Button variant="inline-link" onClick={switchBack}>
        Switch back
      </Button>
    </div>
  );
}
