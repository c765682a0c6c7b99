// The identities: the app's, which reads and writes what the service stores, and the console's sign-in, which proves
// the console to Microsoft Entra ID and may do nothing in Azure.

import { tagsType } from 'types.bicep'

param appIdentityName string

param signInIdentityName string

param location string

param tags tagsType

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: appIdentityName
  location: location
  tags: tags
}

resource signIn 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: signInIdentityName
  location: location
  tags: tags
}

output app { clientId: string, principalId: string } = {
  clientId: app.properties.clientId
  principalId: app.properties.principalId
}

output signIn { clientId: string, principalId: string } = {
  clientId: signIn.properties.clientId
  principalId: signIn.properties.principalId
}
