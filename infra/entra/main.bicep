// Two app registrations without a secret: one that reads mailboxes, one for the console's sign-in. Both are proven by a
// managed identity. Microsoft Graph knows no what-if, so this is a template of its own.

extension microsoftGraphV1

targetScope = 'resourceGroup'

@description('What the deployment is called: the name that main.bicep got.')
@minLength(2)
@maxLength(30)
param name string = 'ticket-engine'

@description('main.bicep\'s output redirectUri.')
param redirectUri string

@description('main.bicep\'s output consoleRedirectUri.')
param consoleRedirectUri string

@description('main.bicep\'s output appPrincipalId: the identity that proves the registration for mail.')
param appPrincipalId string

@description('main.bicep\'s output signInPrincipalId: the identity that proves the console\'s.')
param signInPrincipalId string

@description('Who may connect mailboxes: accounts of this tenant, or of every organisation.')
param signInAudience 'AzureADMultipleOrgs' | 'AzureADMyOrg' = 'AzureADMyOrg'

@description('Asks for the permission to send too.')
param sendMail bool = false

@description('Who works in the console, by object id and role.')
param consoleUsers { principalId: string, role: 'Agent' | 'Operator' }[] = []

var microsoftGraph = '00000003-0000-0000-c000-000000000000'
var issuer = uri(environment().authentication.loginEndpoint, '${tenant().tenantId}/v2.0')

// Delegated permissions. Source: Microsoft, "Microsoft Graph permissions reference".
var permissionIds = {
  'IMAP.AccessAsUser.All': '652390e4-393a-48de-9484-05f9b1212954'
  'POP.AccessAsUser.All': 'd7b7f2d9-0f45-4ea1-9d42-e50810c06991'
  'SMTP.Send': '258f6531-6087-4cc4-bb90-092c5fb3ed3f'
  offline_access: '7427e0e9-2fba-42fe-b0c0-848c9e6a8182'
  openid: '37f7f235-527c-4136-accd-4a02d197296e'
  profile: '14dad69e-099b-42c9-810b-d002981feec1'
}
var mailPermissions = concat(
  ['POP.AccessAsUser.All', 'IMAP.AccessAsUser.All', 'offline_access', 'openid', 'profile'],
  sendMail ? ['SMTP.Send'] : []
)

// Assignments carry these ids, so they never change.
var roleIds = {
  Operator: 'c1a4f0b7-52d6-4f0e-8c2e-3b7d9f6a1e54'
  Agent: '6e8d3f29-0b7a-4c15-a9d4-71f2c85e0b36'
}

resource mail 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${name}-mail'
  displayName: 'Ticket Engine, mailboxes (${name})'
  description: 'Reads the mailboxes whose owners have consented, and turns their mail into tickets.'
  signInAudience: signInAudience
  web: {
    redirectUris: [
      redirectUri
    ]
  }
  requiredResourceAccess: [
    {
      resourceAppId: microsoftGraph
      resourceAccess: [
        for permission in mailPermissions: {
          id: permissionIds[permission]
          type: 'Scope'
        }
      ]
    }
  ]

  resource identity 'federatedIdentityCredentials' = {
    name: '${mail.uniqueName}/app'
    description: 'The managed identity of the function app.'
    issuer: issuer
    subject: appPrincipalId
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

resource mailPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: mail.appId
}

resource console 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: '${name}-console'
  displayName: 'Ticket Engine, console (${name})'
  description: 'Signs people in to the console.'
  signInAudience: 'AzureADMyOrg'
  api: {
    requestedAccessTokenVersion: 2
  }
  web: {
    homePageUrl: replace(consoleRedirectUri, '/.auth/login/aad/callback', '/api/console')
    redirectUris: [
      consoleRedirectUri
    ]
    // App Service authentication asks for the code and the ID token at once.
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: true
    }
  }
  requiredResourceAccess: [
    {
      resourceAppId: microsoftGraph
      resourceAccess: [
        for permission in ['openid', 'profile']: {
          id: permissionIds[permission]
          type: 'Scope'
        }
      ]
    }
  ]
  appRoles: [
    {
      id: roleIds.Operator
      value: 'Operator'
      displayName: 'Operator'
      description: 'Sets up mailboxes and ticket types, and works with tickets.'
      allowedMemberTypes: [
        'User'
      ]
      isEnabled: true
    }
    {
      id: roleIds.Agent
      value: 'Agent'
      displayName: 'Agent'
      description: 'Works with tickets.'
      allowedMemberTypes: [
        'User'
      ]
      isEnabled: true
    }
  ]

  resource identity 'federatedIdentityCredentials' = {
    name: '${console.uniqueName}/sign-in'
    description: 'The managed identity of the sign-in.'
    issuer: issuer
    subject: signInPrincipalId
    audiences: [
      'api://AzureADTokenExchange'
    ]
  }
}

resource consolePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: console.appId
  // Who has no role can't even sign in.
  appRoleAssignmentRequired: true
}

resource assignments 'Microsoft.Graph/appRoleAssignedTo@v1.0' = [
  for user in consoleUsers: {
    appRoleId: roleIds[user.role]
    principalId: user.principalId
    resourceId: consolePrincipal.id
    resourceDisplayName: console.displayName
  }
]

output mailClientId string = mail.appId
output consoleClientId string = console.appId
