// Names that the private network and its endpoints share.

@export()
@description('The subnet that the app\'s traffic leaves by.')
var appSubnet = 'app'

@export()
@description('The subnet of the private endpoints.')
var endpointSubnet = 'private-endpoints'

@export()
@description('The private DNS zones by what an endpoint leads to; those of storage lack the cloud\'s suffix. Source: Microsoft, "Azure private endpoint private DNS zone values".')
var zones = {
  blob: ['privatelink.blob.']
  queue: ['privatelink.queue.']
  table: ['privatelink.table.']
  vault: ['privatelink.vaultcore.azure.net']
  sites: ['privatelink.azurewebsites.net']
  azuremonitor: [
    'privatelink.monitor.azure.com'
    'privatelink.oms.opinsights.azure.com'
    'privatelink.ods.opinsights.azure.com'
    'privatelink.agentsvc.azure-automation.net'
    'privatelink.blob.'
  ]
}
