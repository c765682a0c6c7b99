// The types that templates and modules share.

@export()
@description('Tags, by their names.')
type tagsType = {
  *: string
}

@export()
@description('App settings, by their names.')
type settingsType = {
  *: string
}

@export()
@description('A person or group that runs ticket-engine, the command line.')
type operatorType = {
  @description('The object id in Microsoft Entra ID.')
  principalId: string
  principalType: 'Group' | 'ServicePrincipal' | 'User'
}

@export()
@description('What a private endpoint leads to.')
type groupIdType = 'azuremonitor' | 'blob' | 'queue' | 'sites' | 'table' | 'vault'
