// What infra/entra/register fills in from the outputs of infra/main.bicep; the examples are those of the snapshot.
using 'main.bicep'

param name = readEnvironmentVariable('DEPLOYMENT_NAME', 'ticket-engine')

param redirectUri = readEnvironmentVariable('REDIRECT_URI', 'https://app.example/api/oauth/callback')

param consoleRedirectUri = readEnvironmentVariable(
  'CONSOLE_REDIRECT_URI',
  'https://app.example/.auth/login/aad/callback'
)

param appPrincipalId = readEnvironmentVariable('APP_PRINCIPAL_ID', '00000000-0000-0000-0000-00000000000a')

param signInPrincipalId = readEnvironmentVariable('SIGN_IN_PRINCIPAL_ID', '00000000-0000-0000-0000-00000000000b')

param signInAudience = readEnvironmentVariable('SIGN_IN_AUDIENCE', 'AzureADMyOrg') == 'AzureADMultipleOrgs'
  ? 'AzureADMultipleOrgs'
  : 'AzureADMyOrg'

param sendMail = bool(readEnvironmentVariable('SEND_MAIL', 'false'))

// Object ids of people or groups, one a role; more are added in the portal.
var operator = readEnvironmentVariable('OPERATOR_OBJECT_ID', '')
var agent = readEnvironmentVariable('AGENT_OBJECT_ID', '')

param consoleUsers = concat(
  empty(operator) ? [] : [{ principalId: operator, role: 'Operator' }],
  empty(agent) ? [] : [{ principalId: agent, role: 'Agent' }]
)
